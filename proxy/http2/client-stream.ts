import { trailersAreValid } from '../http1/body-reader.ts'
import { FRAMING, type RequestHead, ResponseHead } from '../stream/message.ts'
import { webSocketAccept } from '../stream/websocket.ts'
import type { Attempt, ResetReason } from '../upstream/attempt.ts'
import type { RequestTarget, UpstreamStream } from '../upstream/upstream-stream.ts'
import type { ClientSession } from './client-session.ts'
import { ERROR_CODE, FLAG } from './frame.ts'
import { encodeFields, trailerLines } from './header-fields.ts'
import { readResponse } from './response-fields.ts'
import { BLOCK, LINES } from './session.ts'
import { Http2Stream } from './stream.ts'

/** Where all streams of this thread read response heads into: an attempt is done with one when its call returns. */
const HEAD = new ResponseHead()

/** One exchange on an HTTP/2 connection to an upstream host. It is used again for another when it is over. */
export class ClientStream extends Http2Stream implements UpstreamStream {
  readonly #session: ClientSession
  #attempt: Attempt | undefined
  #hasHead = false
  #isTunnel = false
  #upgrade = ''
  /** The key of a client that waits for its answer, which HTTP/2 does not have. */
  #webSocketKey = ''
  #isTouched = false
  isReused = false

  constructor(session: ClientSession) {
    super(session)
    this.#session = session
  }

  start(attempt: Attempt, isReused: boolean): void {
    this.#attempt = attempt
    this.#hasHead = false
    this.#isTunnel = false
    this.#upgrade = ''
    this.isReused = isReused
    attempt.onStream(this)
  }

  // === UpstreamStream ===

  get hasReceived(): boolean {
    return this.#hasHead
  }

  writeHead(head: RequestHead, target: RequestTarget, hasBody: boolean): void {
    const session = this.#session
    const { encoder, writer, options } = session
    if (head.upgrade !== '' && !session.peer.takesExtendedConnect) {
      // RFC 8441 section 3: it would not know what `:protocol` is.
      this.endBy('protocol_error', 'the upstream takes no extended CONNECT')
      return
    }
    this.open(session.nextStreamId())
    session.streams.add(this)
    const isConnect = head.method === 'CONNECT'
    this.#upgrade = head.upgrade
    this.#webSocketKey = head.upgrade === 'websocket' ? (head.get('sec-websocket-key') ?? '') : ''
    BLOCK.end = 0
    encoder.begin(BLOCK)
    // Between our own proxies Host travels in the place of the authority.
    const hostTravels = options.keepsCase && head.hostIndex >= 0 && !head.authorityRewritten
    session.requestStart.write(
      encoder,
      BLOCK,
      head.upgrade === '' ? head.method : 'CONNECT',
      isConnect ? '' : session.scheme,
      hostTravels ? '' : target.authority,
      isConnect ? '' : target.path,
    )
    if (head.upgrade !== '') encoder.text(BLOCK, ':protocol', head.upgrade)
    encodeFields(head, encoder, BLOCK, options.keepsCase, hostTravels ? -1 : head.hostIndex)
    if (target.attemptCount > 0) encoder.text(BLOCK, 'x-envoy-attempt-count', String(target.attemptCount))
    // A tunnel's bytes follow when the upstream has agreed.
    const endsHere = !hasBody && head.upgrade === '' && !isConnect
    writer.headers(this.id, endsHere ? FLAG.endStream : 0, BLOCK, session.maxFrameBytes)
    session.guard.sent++
    if (endsHere) this.localEnded = true
  }

  writeData(data: Buffer): boolean {
    return this.sendBody(data)
  }

  endRequest(trailers: string): void {
    this.endBody(trailers)
  }

  abandon(): void {
    this.#attempt = undefined
    if (this.isReleased) return
    this.session.writeReset(this.id, ERROR_CODE.cancel)
    this.#finish()
  }

  // === from the session ===

  /** Fields are in LINES: an interim or final head, or trailers. Returns false when they are malformed. */
  onFields(endStream: boolean): boolean {
    if (this.#hasHead) return this.#onTrailers(endStream)
    const attempt = this.#attempt
    if (attempt === undefined) return true
    if (!readResponse(LINES, HEAD, endStream, attempt.method)) return false
    // Interim answers are the business of this hop.
    if (HEAD.status < 200) return true
    this.#hasHead = true
    if (HEAD.framing === FRAMING.length) this.expectedBytes = HEAD.contentLength
    else if (HEAD.framing === FRAMING.none) this.expectedBytes = 0
    if (HEAD.status < 300 && (this.#upgrade !== '' || attempt.method === 'CONNECT')) {
      this.#isTunnel = true
      this.expectedBytes = -1
      if (this.#upgrade !== '') HEAD.status = 101
      if (this.#webSocketKey !== '' && !HEAD.has('sec-websocket-accept')) {
        HEAD.append('sec-websocket-accept', webSocketAccept(this.#webSocketKey))
      }
    }
    this.#touch()
    attempt.onResponseHead(HEAD)
    if (endStream && !this.isReleased && this.#attempt === attempt) this.endRemote()
    return true
  }

  #onTrailers(endStream: boolean): boolean {
    if (!endStream || !this.hasWholeBody) return false
    const lines = trailerLines(LINES)
    if (lines === undefined || !trailersAreValid(lines)) return false
    if (lines !== '') this.#attempt?.onResponseTrailers(lines)
    this.endRemote()
    return true
  }

  protected override onBodyData(data: Buffer): void {
    this.#touch()
    // Frames of other streams may follow in the same bytes.
    this.#attempt?.onResponseData(data, false)
  }

  /** Everything that came in this turn has been handed over. */
  onReadPause(): void {
    this.#isTouched = false
    this.#attempt?.onReadPause()
  }

  #touch(): void {
    if (this.#isTouched) return
    this.#isTouched = true
    this.#session.noteTouched(this)
  }

  protected override onRemoteEnd(): void {
    const attempt = this.#attempt
    if (this.#isTunnel && !this.localEnded) {
      attempt?.onResponseEnd()
      return
    }
    this.#attempt = undefined
    // The answer is complete before the request: the rest of it is not wanted.
    if (!this.localEnded) this.session.writeReset(this.id, ERROR_CODE.noError)
    this.#finish()
    attempt?.onResponseEnd()
  }

  protected override onLocalEnd(): void {
    if (!this.remoteEnded) return
    this.#attempt = undefined
    this.#finish()
  }

  override onReset(code: number, isOurs: boolean): void {
    if (isOurs) this.endBy('protocol_error', `stream error, code ${code}`)
    else this.endBy(code === ERROR_CODE.refusedStream ? 'refused' : 'reset', `remote reset, code ${code}`)
  }

  /** The exchange is over before its time; the stream is off the books already. */
  endBy(reason: ResetReason, detail: string): void {
    const attempt = this.#attempt
    this.#attempt = undefined
    this.#session.reuse(this)
    attempt?.onReset(reason, detail)
  }

  override onWritable(): void {
    this.#attempt?.onWritable()
  }

  #finish(): void {
    if (this.isReleased) return
    this.session.release(this)
    this.#session.reuse(this)
  }
}
