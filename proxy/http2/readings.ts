import type { HeaderBlock } from '../stream/header-block.ts'
import type { Framing, RequestHead, ResponseHead } from '../stream/message.ts'
import { takeFields } from './header-fields.ts'
import type { FieldLines } from './hpack/field-lines.ts'

/*
 * What messages were read as whose lines are kept (hpack/block-memory.ts), because they come again and again. The same lines say the same each
 * time, so that of the next one nothing is looked at. Only of messages that are well, and of which no field was left out or added.
 */

/** The fields of a message, from the line `#from` on. */
class FieldsReading {
  readonly #from: number
  readonly #nameLengths: number
  readonly #receivedLength: number

  constructor(head: HeaderBlock, from: number) {
    this.#from = from
    this.#receivedLength = head.textLength
    let nameLengths = 0
    for (let i = 0; i < head.count; i++) nameLengths |= 1 << head.name(i).length
    this.#nameLengths = nameLengths
  }

  showFields(lines: FieldLines, head: HeaderBlock): void {
    head.clear()
    takeFields(lines, this.#from, head)
    head.nameLengths = this.#nameLengths
    head.receivedLength = this.#receivedLength
  }
}

export class RequestReading extends FieldsReading {
  readonly endStream: boolean
  readonly #method: string
  readonly #path: string
  readonly #authority: string
  readonly #scheme: string
  readonly #isHttp2: boolean
  readonly #framing: Framing
  readonly #contentLength: number
  readonly #hostIndex: number

  constructor(head: RequestHead, from: number, endStream: boolean) {
    super(head, from)
    this.endStream = endStream
    this.#method = head.method
    this.#path = head.path
    this.#authority = head.authority
    this.#scheme = head.scheme
    this.#isHttp2 = head.isHttp2
    this.#framing = head.framing
    this.#contentLength = head.contentLength
    this.#hostIndex = head.hostIndex
  }

  /** Has kept lines remember the request that they were read as, if they may. */
  static note(lines: FieldLines, from: number, head: RequestHead, endStream: boolean): void {
    const { kept } = lines
    if (kept === undefined || head.upgrade !== '' || !head.isAsItCame) return
    kept.reading = new RequestReading(head, from, endStream)
  }

  show(lines: FieldLines, head: RequestHead): void {
    this.showFields(lines, head)
    head.method = this.#method
    head.path = this.#path
    head.authority = this.#authority
    head.scheme = this.#scheme
    head.isHttp2 = this.#isHttp2
    head.framing = this.#framing
    head.contentLength = this.#contentLength
    head.hostIndex = this.#hostIndex
  }
}

export class ResponseReading extends FieldsReading {
  readonly endStream: boolean
  readonly isOfHead: boolean
  readonly #status: number
  readonly #framing: Framing
  readonly #contentLength: number
  readonly #dateIndex: number
  readonly #serverIndex: number

  constructor(head: ResponseHead, endStream: boolean, isOfHead: boolean) {
    super(head, 1)
    this.endStream = endStream
    this.isOfHead = isOfHead
    this.#status = head.status
    this.#framing = head.framing
    this.#contentLength = head.contentLength
    this.#dateIndex = head.dateIndex
    this.#serverIndex = head.serverIndex
  }

  /** Has kept lines remember the final response that they were read as, if they may. */
  static note(lines: FieldLines, head: ResponseHead, endStream: boolean, isOfHead: boolean): void {
    const { kept } = lines
    if (kept === undefined || !head.isAsItCame) return
    kept.reading = new ResponseReading(head, endStream, isOfHead)
  }

  show(lines: FieldLines, head: ResponseHead): void {
    this.showFields(lines, head)
    head.status = this.#status
    head.framing = this.#framing
    head.contentLength = this.#contentLength
    head.dateIndex = this.#dateIndex
    head.serverIndex = this.#serverIndex
  }
}
