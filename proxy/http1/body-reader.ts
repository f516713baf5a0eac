import { sliceOf } from '../../lib/sockets/lent-memory.ts'
import { FRAMING, type Framing } from '../stream/message.ts'
import { CR, HEX, IS_TOKEN, IS_VALUE, LF } from './chars.ts'
import { EXTENSION, type Extension, nextExtension } from './chunk-extension.ts'

/** What a body is read into. */
export interface BodySink {
  /** Bytes of content. The slice is only lent: copy what must outlive the call, unless it is handed to a socket. */
  onBodyData(data: Buffer): void
  /** Trailer fields as they came, each line ended by CRLF; not called when there are none. */
  onTrailers(lines: string): void
  onBodyEnd(): void
}

/** Longest chunk-size line, extensions included, and longest trailer section, in bytes. */
const MAX_CHUNK_LINE_BYTES = 256
const MAX_TRAILER_BYTES = 8 * 1024

/** Whether trailer lines, each ended by CRLF, hold only fields that may come there. */
type TrailerCheck = (lines: string) => boolean

const STATE = { size: 0, extension: 1, sizeLf: 2, data: 3, dataCr: 4, dataLf: 5, trailer: 6 } as const
type State = (typeof STATE)[keyof typeof STATE]

/**
 * Reads one body after another from the bytes of a connection, by length, by chunks or until the connection closes.
 * Chunk framing is held to RFC 9112 section 7.1 to the letter: hex digits only, CRLF only, extensions checked, bounded and
 * read over, trailers checked.
 */
export class BodyReader {
  #framing: Framing = FRAMING.none
  #left = 0
  #state: State = STATE.size
  #digits = 0
  #extension: Extension = EXTENSION.start
  #lineBytes = 0
  #trailers = ''
  readonly #areValid: TrailerCheck

  /** Whether a body is being read. */
  active = false

  /** `check` is requestTrailersAreValid for bodies of requests. */
  constructor(check: TrailerCheck = trailersAreValid) {
    this.#areValid = check
  }

  begin(framing: Framing, contentLength: number): void {
    this.#framing = framing
    this.#left = contentLength
    this.#state = STATE.size
    this.#digits = 0
    this.#lineBytes = 0
    this.#trailers = ''
    this.active = framing !== FRAMING.none
  }

  /**
   * Reads what belongs to the body from `bytes[pos..]`. Returns the position after it, or -1 when the framing is
   * broken. Calls the sink's onBodyEnd when the body is complete (`active` is then false).
   */
  read(bytes: Buffer, pos: number, sink: BodySink): number {
    if (this.#framing === FRAMING.chunked) return this.#readChunked(bytes, pos, sink)
    const available = bytes.length - pos
    if (this.#framing === FRAMING.untilClose) {
      if (available > 0) sink.onBodyData(sliceOf(bytes, pos, bytes.length))
      return bytes.length
    }
    if (available < this.#left) {
      this.#left -= available
      if (available > 0) sink.onBodyData(sliceOf(bytes, pos, bytes.length))
      return bytes.length
    }
    const end = pos + this.#left
    this.active = false
    if (this.#left > 0) sink.onBodyData(sliceOf(bytes, pos, end))
    sink.onBodyEnd()
    return end
  }

  /** The peer closed its side. Returns whether that ends the body properly. */
  endOfInput(sink: BodySink): boolean {
    if (this.#framing !== FRAMING.untilClose) return false
    this.active = false
    sink.onBodyEnd()
    return true
  }

  #readChunked(bytes: Buffer, start: number, sink: BodySink): number {
    let pos = start
    const end = bytes.length
    while (pos < end) {
      const byte = bytes[pos] as number
      switch (this.#state) {
        case STATE.size: {
          const digit = HEX[byte] as number
          if (digit !== 255) {
            // 12 hex digits stay within the safe integers.
            if (++this.#digits > 12) return -1
            this.#left = this.#left * 16 + digit
          } else if (this.#digits === 0) return -1
          else if (byte === CR) this.#state = STATE.sizeLf
          else if (byte === 59) {
            this.#state = STATE.extension
            this.#extension = EXTENSION.start
          } else return -1
          if (++this.#lineBytes > MAX_CHUNK_LINE_BYTES) return -1
          pos++
          break
        }
        case STATE.extension: {
          const next = nextExtension(this.#extension, byte)
          if (next === undefined) return -1
          this.#extension = next
          if (next === EXTENSION.end) this.#state = STATE.sizeLf
          if (++this.#lineBytes > MAX_CHUNK_LINE_BYTES) return -1
          pos++
          break
        }
        case STATE.sizeLf:
          if (byte !== LF) return -1
          this.#state = this.#left === 0 ? STATE.trailer : STATE.data
          this.#lineBytes = 0
          pos++
          break
        case STATE.data: {
          const take = Math.min(this.#left, end - pos)
          sink.onBodyData(bytes.subarray(pos, pos + take))
          this.#left -= take
          pos += take
          if (this.#left === 0) this.#state = STATE.dataCr
          break
        }
        case STATE.dataCr:
          if (byte !== CR) return -1
          this.#state = STATE.dataLf
          pos++
          break
        case STATE.dataLf:
          if (byte !== LF) return -1
          this.#state = STATE.size
          this.#digits = 0
          pos++
          break
        case STATE.trailer: {
          const lf = bytes.indexOf(LF, pos)
          const upTo = lf < 0 ? end : lf + 1
          this.#trailers += bytes.toString('latin1', pos, upTo)
          if (this.#trailers.length > MAX_TRAILER_BYTES) return -1
          pos = upTo
          if (lf < 0) break
          if (!this.#trailers.endsWith('\r\n')) return -1
          const last = this.#trailers.length === 2 || this.#trailers.endsWith('\r\n\r\n')
          if (!last) break
          return this.#finishChunked(pos, sink)
        }
      }
    }
    return pos
  }

  #finishChunked(pos: number, sink: BodySink): number {
    const lines = this.#trailers.slice(0, -2)
    this.active = false
    if (lines !== '') {
      if (!this.#areValid(lines)) return -1
      sink.onTrailers(lines)
    }
    sink.onBodyEnd()
    return pos
  }
}

/** Fields that frame or route must not come as trailers (RFC 9110 section 6.5.1). */
const FORBIDDEN = new Set(['transfer-encoding', 'content-length', 'host', 'connection', 'authorization', 'te'])

/**
 * Nor must those of a request that say who asks, for what and how it is read: a server that takes trailers for fields
 * would believe them, and nobody on the way has looked at them.
 */
const FORBIDDEN_IN_REQUESTS = new Set([
  ...FORBIDDEN,
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'expect',
  'forwarded',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'trailer',
  'upgrade',
])

/** Whether trailer lines of a response, each ended by CRLF, hold only fields that may come there. */
export function trailersAreValid(lines: string): boolean {
  return areValid(lines, isAllowed)
}

/** The same for a request. */
export function requestTrailersAreValid(lines: string): boolean {
  return areValid(lines, isAllowedInRequest)
}

function isAllowed(lowerName: string): boolean {
  return !FORBIDDEN.has(lowerName)
}

function isAllowedInRequest(lowerName: string): boolean {
  return (
    !FORBIDDEN_IN_REQUESTS.has(lowerName) && !lowerName.startsWith('x-forwarded-') && !lowerName.startsWith('x-envoy-')
  )
}

function areValid(lines: string, mayCome: (lowerName: string) => boolean): boolean {
  for (const line of lines.slice(0, -2).split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) return false
    for (let i = 0; i < colon; i++) if (IS_TOKEN[line.charCodeAt(i)] !== 1) return false
    for (let i = colon + 1; i < line.length; i++) if (IS_VALUE[line.charCodeAt(i)] !== 1) return false
    if (!mayCome(line.slice(0, colon).toLowerCase())) return false
  }
  return true
}
