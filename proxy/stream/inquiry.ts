import type { Call } from '../decide/call.ts'
import type { Decision } from '../decide/decision.ts'
import type { Asker, Asking, Question } from '../decide/question.ts'
import type { StreamContext } from './context.ts'
import type { Downstream } from './downstream.ts'
import type { RequestBuffer } from './request-buffer.ts'

/**
 * One question of one request, from when a filter has to know until it is answered or the request is over. There is a new
 * one for every question: what a late answer reaches is this, and not a request that has taken the exchange since.
 */
export class Inquiry implements Asker {
  readonly call: Call
  readonly decision: Decision
  readonly context: StreamContext
  readonly #question: Question
  readonly #buffer: RequestBuffer
  readonly #onAnswer: (inquiry: Inquiry, value: unknown) => void
  readonly #downstream: Downstream
  #asking: Asking | undefined
  #isBegun = false
  #isOver = false

  constructor(
    question: Question,
    call: Call,
    decision: Decision,
    buffer: RequestBuffer,
    context: StreamContext,
    onAnswer: (inquiry: Inquiry, value: unknown) => void,
    downstream: Downstream,
  ) {
    this.#question = question
    this.call = call
    this.decision = decision
    this.context = context
    this.#buffer = buffer
    this.#onAnswer = onAnswer
    this.#downstream = downstream
  }

  /** Whether it waits for the request's body. */
  get wantsBody(): boolean {
    const { isEnded, bytes } = this.#buffer
    return !this.#isBegun && !isEnded && bytes < this.#question.bodyBytes
  }

  /** Asks, as soon as what it must tell is there. Called again when more of the body has come. */
  proceed(): void {
    if (this.#isBegun || this.#isOver || this.wantsBody) return
    this.#isBegun = true
    const asking = this.#question.ask(this)
    if (this.#isOver) return
    this.#asking = asking
  }

  /** The request is over. */
  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#asking?.cancel()
  }

  // --- Asker ---

  body(): readonly Buffer[] {
    return this.#buffer.pieces()
  }

  get bodyIsEnded(): boolean {
    return this.#buffer.isEnded
  }

  answer(value: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    try {
      this.#onAnswer(this, value)
    } catch (thrown) {
      // Who answers is no part of the connection, and must not hear of its bugs.
      this.context.bugs.report('stream', thrown)
      this.#downstream.destroy()
    }
  }
}
