import { countIn } from '../../../../decide/decision.ts'
import type { Asker, Asking } from '../../../../decide/question.ts'
import type { CheckResult } from '../result.ts'
import type { CheckCache } from './check-cache.ts'

type Send = (onResult: (result: CheckResult) => void) => Asking

/**
 * A question whose answer may be kept. While one of a like call is under way it waits for that, once, and asks itself only if that
 * answer is not for it.
 */
export class KeptAsking implements Asking {
  readonly #cache: CheckCache
  readonly #asker: Asker
  readonly #extensions: Readonly<Record<string, string>>
  readonly #send: Send
  #isOver = false
  #asking: Asking | undefined
  /** Under which others wait for this one, or this one waits; '' for neither. */
  #likeness = ''
  /** Set while it waits for another. */
  #awaken: (() => void) | undefined

  constructor(cache: CheckCache, asker: Asker, extensions: Readonly<Record<string, string>>, send: Send) {
    this.#cache = cache
    this.#asker = asker
    this.#extensions = extensions
    this.#send = send
    this.#begin()
  }

  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#asking?.cancel()
    if (this.#awaken !== undefined) this.#cache.underWay.get(this.#likeness)?.delete(this.#awaken)
    else this.#release()
  }

  #begin(): void {
    const { call, decision } = this.#asker
    const likeness = this.#cache.likeness(call, decision, this.#extensions)
    const waiting = likeness === '' ? undefined : this.#cache.underWay.get(likeness)
    if (waiting !== undefined) {
      this.#likeness = likeness
      this.#awaken = () => this.#onOther()
      waiting.add(this.#awaken)
      return
    }
    if (likeness !== '') {
      this.#likeness = likeness
      this.#cache.underWay.set(likeness, new Set())
    }
    this.#ask()
  }

  #onOther(): void {
    this.#awaken = undefined
    this.#likeness = ''
    const { call, decision } = this.#asker
    const kept = this.#cache.find(call, decision, this.#extensions)
    if (kept === undefined) this.#ask()
    else {
      countIn(decision, 'ext_authz.cache_hit')
      this.#isOver = true
      this.#asker.answer(kept)
    }
  }

  #ask(): void {
    countIn(this.#asker.decision, 'ext_authz.cache_miss')
    const asking = this.#send((result) => this.#onResult(result))
    if (!this.#isOver) this.#asking = asking
  }

  #onResult(result: CheckResult): void {
    if (this.#isOver) return
    this.#isOver = true
    const { call, decision } = this.#asker
    this.#cache.keep(result, call, decision, this.#extensions)
    // The own one first: what the others do may end the connection.
    this.#asker.answer(result)
    this.#release()
  }

  /** Who waited goes on. */
  #release(): void {
    if (this.#likeness === '') return
    const waiting = this.#cache.underWay.get(this.#likeness)
    this.#cache.underWay.delete(this.#likeness)
    this.#likeness = ''
    for (const awaken of waiting ?? []) awaken()
  }
}
