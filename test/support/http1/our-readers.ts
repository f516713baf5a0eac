import { BodyReader, type BodySink, requestTrailersAreValid } from '../../../proxy/http1/body-reader.ts'
import { CR, hasBareLf, LF } from '../../../proxy/http1/chars.ts'
import { parseRequestHead } from '../../../proxy/http1/request-parser.ts'
import { parseResponseHead } from '../../../proxy/http1/response-parser.ts'
import type { HeaderBlock } from '../../../proxy/stream/header-block.ts'
import { FRAMING, RequestHead, ResponseHead } from '../../../proxy/stream/message.ts'
import { fieldsOfLines, newMessage, type Reading, type WireMessage } from './wire-message.ts'

/*
 * Our parsers, fed as ServerConnection and ClientConnection feed them, but without sockets, timers and limits of time.
 */

const HEAD_END = Buffer.from('\r\n\r\n')
const MAX_HEAD_BYTES = 60 * 1024
const NOTHING = Buffer.alloc(0)

abstract class Reader implements BodySink {
  readonly reading: Reading = { messages: [], refusal: '' }
  protected pending: Buffer = NOTHING
  protected isOver = false
  protected readonly body: BodyReader
  protected current: WireMessage | undefined

  constructor(body: BodyReader) {
    this.body = body
  }

  feed(piece: Buffer): void {
    this.pending = this.pending.length === 0 ? piece : Buffer.concat([this.pending, piece])
    while (this.pending.length > 0 && !this.isOver) {
      const used = this.body.active ? this.#readBody() : this.readHead(this.pending)
      if (used <= 0) return
      this.pending = this.pending.subarray(used)
    }
  }

  #readBody(): number {
    const used = this.body.read(this.pending, 0, this)
    return used < 0 ? this.refuse('body') : used
  }

  /** Bytes used, or 0 when more are needed. */
  protected abstract readHead(bytes: Buffer): number

  protected refuse(why: string): 0 {
    this.reading.refusal = why
    this.isOver = true
    return 0
  }

  protected begin(start: string, head: HeaderBlock & { keepAlive: boolean }): WireMessage {
    const fields: string[] = []
    for (let i = 0; i < head.count; i++) fields.push(head.name(i), head.value(i))
    const message = newMessage(start, fields, head.keepAlive)
    this.reading.messages.push(message)
    this.current = message
    return message
  }

  onBodyData(data: Buffer): void {
    ;(this.current as WireMessage).body += data.toString('latin1')
  }

  onTrailers(lines: string): void {
    ;(this.current as WireMessage).trailers = fieldsOfLines(lines)
  }

  onBodyEnd(): void {
    ;(this.current as WireMessage).isComplete = true
    this.onMessageEnd(this.current as WireMessage)
  }

  protected abstract onMessageEnd(message: WireMessage): void
}

class RequestReader extends Reader {
  readonly #head = new RequestHead()

  constructor() {
    super(new BodyReader(requestTrailersAreValid))
  }

  protected readHead(bytes: Buffer): number {
    let start = 0
    while (start < 4 && bytes[start] === CR && bytes[start + 1] === LF) start += 2
    const end = bytes.indexOf(HEAD_END, start)
    if ((end < 0 ? bytes.length : end) - start > MAX_HEAD_BYTES) return this.refuse('head too large')
    if (end < 0) return hasBareLf(bytes, start) ? this.refuse('line feed') : 0
    const head = this.#head
    const error = parseRequestHead(bytes, start, end, head)
    if (error !== undefined) return this.refuse(error.detail)
    const lineEnd = bytes.indexOf(CR, start)
    const message = this.begin(bytes.toString('latin1', start, lineEnd), head)
    message.isUpgrade = head.upgrade !== '' || head.method === 'CONNECT'
    this.body.begin(head.framing, head.contentLength)
    if (!this.body.active) this.onBodyEnd()
    return end + 4
  }

  protected onMessageEnd(message: WireMessage): void {
    // Nothing behind it is read as a request.
    this.isOver = !message.keepAlive || message.isUpgrade
  }
}

class ResponseReader extends Reader {
  readonly #head = new ResponseHead()
  readonly #method: string

  constructor(method: string) {
    super(new BodyReader())
    this.#method = method
  }

  protected readHead(bytes: Buffer): number {
    const end = bytes.indexOf(HEAD_END)
    if ((end < 0 ? bytes.length : end) > MAX_HEAD_BYTES) return this.refuse('head too large')
    if (end < 0) return hasBareLf(bytes, 0) ? this.refuse('line feed') : 0
    const head = this.#head
    const error = parseResponseHead(bytes, 0, end, head, this.#method)
    if (error !== undefined) return this.refuse(error.detail)
    const { status } = head
    const message = this.begin(`HTTP/1.${head.minorVersion} ${status}`, head)
    message.isUpgrade = status === 101 || (this.#method === 'CONNECT' && status >= 200 && status < 300)
    this.body.begin(message.isUpgrade ? FRAMING.none : head.framing, head.contentLength)
    if (!this.body.active) this.onBodyEnd()
    return end + 4
  }

  protected onMessageEnd({ start, isUpgrade }: WireMessage): void {
    // One final answer; what follows it is nobody's.
    this.isOver = isUpgrade || !/ 1\d\d$/.test(start)
  }

  close(): void {
    if (this.isOver) return
    if (this.body.active && this.body.endOfInput(this)) return
    this.refuse('closed')
  }
}

export function ourRequests(pieces: readonly Buffer[]): Reading {
  const reader = new RequestReader()
  for (const piece of pieces) reader.feed(piece)
  return reader.reading
}

/** Reads what comes in answer to a request with this method; then the connection is closed. */
export function ourResponses(pieces: readonly Buffer[], method: string): Reading {
  const reader = new ResponseReader(method)
  for (const piece of pieces) reader.feed(piece)
  reader.close()
  return reader.reading
}
