import type { Clock } from '../../../lib/clock.ts'
import type { Random } from '../../../lib/random.ts'
import type { Failure } from './failure.ts'
import type { LatencyModel } from './latency.ts'

/** A request at an endpoint, as the network brought it. */
export interface Arrival {
  /** Who sent it has given it up. */
  readonly isAbandoned: boolean
  answer(status: number): void
  /** The exchange breaks off, and its connection too when the whole process `isGone` or the protocol knows no other way. */
  reset(isGone: boolean): void
}

/** How an endpoint works. */
export interface EndpointModel {
  readonly latency: LatencyModel
  /** Requests that are worked on at a time; the others queue. */
  readonly concurrency: number
  /** Requests that may queue; one more is answered 503 at once. */
  readonly maxQueue: number
  /** A request that was given up is not worked on any more. */
  readonly stopsWhenAbandoned: boolean
  /** What it asks of other services before it answers; `done` is told the status of the answer. */
  readonly callOthers: ((endpoint: Endpoint, done: (status: number) => void) => void) | undefined
}

/** What is counted of an endpoint. */
export interface EndpointTally {
  arrived: number
  answered: number
  /** Worked on for nobody. */
  wasted: number
  /** Answered 503 since the queue was full. */
  queueFull: number
  maxQueued: number
}

/** One replica of a service: takes requests, works on some at a time, answers, fails as the scenario says. */
export class Endpoint {
  readonly name: string
  readonly address: string
  readonly version: string
  readonly model: EndpointModel
  /** In the order of the scenario; those whose time has not come are passed over. */
  readonly failures: readonly Failure[]
  readonly tally: EndpointTally = { arrived: 0, answered: 0, wasted: 0, queueFull: 0, maxQueued: 0 }
  readonly #clock: Clock
  readonly #random: Random
  #working = 0
  readonly #queue: Arrival[] = []
  /** Of the queue's array, what was taken already. */
  #taken = 0

  constructor(
    name: string,
    address: string,
    version: string,
    model: EndpointModel,
    failures: readonly Failure[],
    clock: Clock,
    random: Random,
  ) {
    this.name = name
    this.address = address
    this.version = version
    this.model = model
    this.failures = failures
    this.#clock = clock
    this.#random = random
  }

  get queued(): number {
    return this.#queue.length - this.#taken
  }

  /** What happens to a connection that is opened now. */
  onConnect(): 'accept' | 'refuse' | 'blackhole' {
    const failure = this.#failureNow('connection')
    return failure === undefined ? 'accept' : (failure.kind as 'refuse' | 'blackhole')
  }

  onRequest(arrival: Arrival): void {
    this.tally.arrived++
    const failure = this.#failureNow('request')
    if (failure !== undefined) {
      if (failure.kind === 'status') arrival.answer(failure.value)
      else if (failure.kind !== 'blackhole') arrival.reset(failure.kind === 'refuse')
      return
    }
    const { model, tally } = this
    if (this.#working < model.concurrency) this.#work(arrival)
    else if (this.queued >= model.maxQueue) {
      tally.queueFull++
      arrival.answer(503)
    } else {
      this.#queue.push(arrival)
      if (this.queued > tally.maxQueued) tally.maxQueued = this.queued
    }
  }

  /** The first failure in force that stops a connection, or a request; dice are only thrown where they decide. */
  #failureNow(what: 'connection' | 'request'): Failure | undefined {
    const { failures } = this
    if (failures.length === 0) return undefined
    const nowMs = this.#clock.nowMs()
    for (const failure of failures) {
      if (failure.kind === 'slow' || nowMs < failure.fromMs || nowMs >= failure.toMs) continue
      if (what === 'connection' && failure.kind !== 'refuse' && failure.kind !== 'blackhole') continue
      // A connection to a host that fails some of its requests can be had.
      if (failure.rate < 1 && (what === 'connection' || this.#random.next() >= failure.rate)) continue
      return failure
    }
    return undefined
  }

  #workMs(): number {
    let ms = this.model.latency.sample(this.#random)
    const { failures } = this
    if (failures.length === 0) return ms
    const nowMs = this.#clock.nowMs()
    for (const { kind, fromMs, toMs, rate, value } of failures) {
      if (kind !== 'slow' || nowMs < fromMs || nowMs >= toMs) continue
      if (rate === 1 || this.#random.next() < rate) ms *= value
    }
    return ms
  }

  #work(arrival: Arrival): void {
    this.#working++
    this.#clock.setTimer(this.#workMs(), () => {
      const { callOthers, stopsWhenAbandoned } = this.model
      if (callOthers === undefined || (stopsWhenAbandoned && arrival.isAbandoned)) this.#onWorked(arrival, 200)
      else callOthers(this, (status) => this.#onWorked(arrival, status))
    })
  }

  #onWorked(arrival: Arrival, status: number): void {
    this.#working--
    if (arrival.isAbandoned) this.tally.wasted++
    else {
      this.tally.answered++
      arrival.answer(status)
    }
    this.#takeNext()
  }

  #takeNext(): void {
    const { stopsWhenAbandoned } = this.model
    while (this.queued > 0 && this.#working < this.model.concurrency) {
      const next = this.#queue[this.#taken++] as Arrival
      if (this.#taken > 256 && this.#taken * 2 > this.#queue.length) {
        this.#queue.splice(0, this.#taken)
        this.#taken = 0
      }
      if (!stopsWhenAbandoned || !next.isAbandoned) this.#work(next)
    }
  }
}
