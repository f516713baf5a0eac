import type { Clock, Timer } from '../../../lib/clock.ts'
import type { Random } from '../../../lib/random.ts'
import { type CallTally, reasonOf } from '../report/tally.ts'
import type { ClientModel } from '../scenario/model.ts'
import type { CallOwner, SimulatedDownstream } from './downstream.ts'
import { exponential } from './latency.ts'
import type { SimulatedProxy } from './proxy.ts'
import type { CallTarget } from './target.ts'

/** Sends requests at a rate, whatever becomes of them. */
export class Client {
  readonly model: ClientModel
  readonly tally: CallTally
  /** Of all calls to the service. */
  readonly serviceTally: CallTally
  readonly clock: Clock
  /** Requests that have not ended. */
  pending = 0
  readonly #target: CallTarget
  readonly #proxies: readonly SimulatedProxy[]
  readonly #random: Random
  readonly #tick = () => this.#send()
  #next = 0

  constructor(
    model: ClientModel,
    target: CallTarget,
    proxies: readonly SimulatedProxy[],
    tally: CallTally,
    serviceTally: CallTally,
    clock: Clock,
    random: Random,
  ) {
    this.model = model
    this.tally = tally
    this.serviceTally = serviceTally
    this.clock = clock
    this.#target = target
    this.#proxies = proxies
    this.#random = random
  }

  begin(): void {
    if (this.model.ratePerSecond > 0) this.clock.setTimer(this.model.fromMs + this.#gapMs(), this.#tick)
  }

  #gapMs(): number {
    const meanMs = 1000 / this.model.ratePerSecond
    return this.model.arrivals === 'constant' ? meanMs : exponential(this.#random, meanMs)
  }

  #send(): void {
    if (this.clock.nowMs() >= this.model.toMs) return
    this.clock.setTimer(this.#gapMs(), this.#tick)
    const proxy = this.#proxies[this.#next] as SimulatedProxy
    this.#next = (this.#next + 1) % this.#proxies.length
    this.pending++
    new ClientCall(this).begin(proxy, this.#target)
  }
}

class ClientCall implements CallOwner {
  readonly #client: Client
  readonly #beganMs: number
  #timer: Timer | undefined
  #downstream: SimulatedDownstream | undefined

  constructor(client: Client) {
    this.#client = client
    this.#beganMs = client.clock.nowMs()
  }

  begin(proxy: SimulatedProxy, target: CallTarget): void {
    const { tally, serviceTally, clock, model } = this.#client
    tally.onBegin(this.#beganMs)
    serviceTally.onBegin(this.#beganMs)
    this.#downstream = proxy.call(target, this)
    if (model.timeoutMs < Number.POSITIVE_INFINITY) {
      this.#timer = clock.setTimer(model.timeoutMs, () => {
        if (this.#downstream?.giveUp() === true) this.#end('given up')
      })
    }
  }

  onCallEnd(status: number, flag: string): void {
    this.#timer?.cancel()
    this.#end(reasonOf(status, flag))
  }

  #end(reason: string): void {
    const client = this.#client
    client.pending--
    const nowMs = client.clock.nowMs()
    client.tally.onEnd(this.#beganMs, nowMs, reason)
    client.serviceTally.onEnd(this.#beganMs, nowMs, reason)
  }
}
