import { copyBytes, equalBytes, viewOf } from '../../lib/words.ts'
import { ResponseHead } from '../stream/message.ts'

/** Longer heads are not kept. */
const MAX_HEAD_BYTES = 512
/** While others come, only one in so many takes its place. */
const SPARING = 16

/**
 * The head of the response that came last from one host, and what it says. Answers to the same question are alike to the last byte for as
 * long as their Date is: then there is nothing to parse. How a head frames its body depends on the method, so that this is of requests
 * other than HEAD and CONNECT.
 */
export class KnownResponse {
  readonly #view = viewOf(new Uint8Array(MAX_HEAD_BYTES))
  readonly #head = new ResponseHead()
  #length = 0
  /** It came twice, and `#head` is filled. */
  #isSure = false
  #strange = 0

  /** If the bytes from `start` begin with this head, `head` says what it says, and where it ends is returned; else -1. */
  show(bytes: Buffer, view: DataView | undefined, start: number, head: ResponseHead): number {
    const length = this.#length
    if (!this.#isSure || view === undefined || bytes.length - start < length) return -1
    if (!equalBytes(view, start, this.#view, 0, length)) return -1
    head.takeParsed(this.#head)
    head.bytes = bytes
    head.view = view
    head.base = start
    return start + length
  }

  /** A head was not this one: it lies between `start` and `end`, and `head` says what it says. */
  note(view: DataView | undefined, start: number, end: number, head: ResponseHead): void {
    const length = end - start
    if (view === undefined || length > MAX_HEAD_BYTES) return
    if (!this.#isSure && length === this.#length && equalBytes(view, start, this.#view, 0, length)) {
      this.#head.takeParsed(head)
      this.#isSure = true
      // Two that take turns must not drive each other out.
      this.#strange = SPARING
      return
    }
    this.#strange++
    if (this.#strange > SPARING && this.#strange % SPARING !== 0) return
    copyBytes(view, start, this.#view, 0, length)
    this.#length = length
    this.#isSure = false
  }
}
