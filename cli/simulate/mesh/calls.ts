import type { Clock } from '../../../lib/clock.ts'
import type { Random } from '../../../lib/random.ts'
import { type CallTally, reasonOf } from '../report/tally.ts'
import type { CallModel } from '../scenario/model.ts'
import type { CallOwner } from './downstream.ts'
import type { SimulatedProxy } from './proxy.ts'
import type { CallTarget } from './target.ts'

/** A call that a service makes for each of its requests. */
export interface ServiceCall {
  readonly model: CallModel
  readonly target: CallTarget
  /** Of the service that is called. */
  readonly tally: CallTally
}

const OK = 200
/** Of an answer whose call broke off. */
const BAD_GATEWAY = 502

/** The calls that one request of a service makes, one after the other; the first that fails may end it. */
export class CallChain implements CallOwner {
  readonly #calls: readonly ServiceCall[]
  readonly #proxy: SimulatedProxy
  readonly #clock: Clock
  readonly #random: Random
  readonly #done: (status: number) => void
  #index = -1
  /** Times that the call is still to be made. */
  #left = 0
  #beganMs = 0

  constructor(
    calls: readonly ServiceCall[],
    proxy: SimulatedProxy,
    clock: Clock,
    random: Random,
    done: (status: number) => void,
  ) {
    this.#calls = calls
    this.#proxy = proxy
    this.#clock = clock
    this.#random = random
    this.#done = done
  }

  /** Makes the next call, or is done. */
  proceed(): void {
    while (this.#left === 0) {
      const call = this.#calls[++this.#index]
      if (call === undefined) {
        this.#done(OK)
        return
      }
      const { count, probability } = call.model
      if (probability === 1 || this.#random.next() < probability) this.#left = count
    }
    this.#left--
    const { target, tally } = this.#calls[this.#index] as ServiceCall
    this.#beganMs = this.#clock.nowMs()
    tally.onBegin(this.#beganMs)
    this.#proxy.call(target, this)
  }

  onCallEnd(status: number, flag: string): void {
    const { tally, model } = this.#calls[this.#index] as ServiceCall
    const reason = reasonOf(status, flag)
    tally.onEnd(this.#beganMs, this.#clock.nowMs(), reason)
    if (reason === '' || model.failWith === undefined) this.proceed()
    else this.#done(model.failWith > 0 ? model.failWith : status === 0 ? BAD_GATEWAY : status)
  }
}
