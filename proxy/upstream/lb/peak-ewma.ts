import type { Clock } from '../../../lib/clock.ts'
import { type Random, randomInt } from '../../../lib/random.ts'
import type { ResponseHead } from '../../stream/message.ts'
import type { Host } from '../host.ts'
import type { Balancer, BalancerContext } from './balancer.ts'
import type { Latencies } from './latencies.ts'

/** What a host is taken to need of which nothing is known yet, and the least that a failure costs (linkerd's default_rtt). */
const UNKNOWN_MS = 30
/** By how much a failure makes a host worse than it was thought to be. */
const FAILURE_FACTOR = 2

/** What is known of how long a host takes. */
interface Cost {
  ms: number
  /** When `ms` was true. */
  atMs: number
}

/**
 * What the hosts of one cluster cost by Peak EWMA (Finagle's PeakEwma, linkerd): a moving average of the times to the head of an
 * answer, with two properties beyond that:
 *
 * - a time above it takes its place at once, and only what is faster is averaged, over `decayMs`: a host that becomes slow is
 *   left alone after one answer;
 * - it sinks towards 0 while nothing is heard of the host, so that after a while it is asked again.
 *
 * A failure is a peak, whatever its time: the cost becomes at least twice what it was, and at least 30 ms, up to
 * `decayMs`. So a host that refuses all at once does not look like the fastest. It doubles its cost with each failure until
 * the others are better, is asked again when that has decayed, and doubles it once more. One failure among many answers costs a
 * host half of its share for a part of `decayMs`, no more. Failures are: no answer, a time-out of ours, 5xx, 429, and gRPC
 * statuses that say so without a message. What the client gave up before the answer counts with the time it waited, as a peak only.
 */
export class PeakCosts implements Latencies {
  readonly #clock: Clock
  readonly #decayMs: number
  readonly #costs = new WeakMap<Host, Cost>()

  constructor(clock: Clock, decayMs: number) {
    this.#clock = clock
    this.#decayMs = decayMs
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  onResponse(host: Host, head: ResponseHead, startedMs: number): void {
    if (isFailure(head)) this.onFailure(host, startedMs)
    else this.#observe(host, startedMs)
  }

  onFailure(host: Host, startedMs: number): void {
    const nowMs = this.#clock.nowMs()
    const cost = this.of(host)
    const worse = Math.max(UNKNOWN_MS, FAILURE_FACTOR * this.decayed(cost, nowMs))
    cost.ms = Math.max(Math.min(worse, this.#decayMs), nowMs - startedMs)
    cost.atMs = nowMs
  }

  onAbandoned(host: Host, startedMs: number): void {
    const nowMs = this.#clock.nowMs()
    const cost = this.of(host)
    if (nowMs - startedMs <= this.decayed(cost, nowMs)) return
    cost.ms = nowMs - startedMs
    cost.atMs = nowMs
  }

  #observe(host: Host, startedMs: number): void {
    const nowMs = this.#clock.nowMs()
    const tookMs = nowMs - startedMs
    const cost = this.of(host)
    const kept = Math.exp((cost.atMs - nowMs) / this.#decayMs)
    cost.ms = tookMs > cost.ms * kept ? tookMs : cost.ms * kept + tookMs * (1 - kept)
    cost.atMs = nowMs
  }

  decayed(cost: Cost, nowMs: number): number {
    return cost.ms * Math.exp((cost.atMs - nowMs) / this.#decayMs)
  }

  of(host: Host): Cost {
    let cost = this.#costs.get(host)
    if (cost === undefined) {
      cost = { ms: UNKNOWN_MS, atMs: this.#clock.nowMs() }
      this.#costs.set(host, cost)
    }
    return cost
  }
}

/** Peak EWMA: of two different hosts the one with the lesser cost * (active + 1) / weight. */
export class PeakEwmaBalancer implements Balancer {
  readonly #random: Random
  readonly #costs: PeakCosts
  #hosts: readonly Host[] = []
  /** Of the hosts at the same places. */
  #costOf: Cost[] = []

  constructor({ random }: Pick<BalancerContext, 'random'>, costs: PeakCosts) {
    this.#random = random
    this.#costs = costs
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts
    this.#costOf = hosts.map((host) => this.#costs.of(host))
  }

  pick(): Host {
    const hosts = this.#hosts
    const { length } = hosts
    if (length === 1) return hosts[0] as Host
    const i = randomInt(this.#random, length)
    const drawn = randomInt(this.#random, length - 1)
    const j = drawn < i ? drawn : drawn + 1
    const nowMs = this.#costs.nowMs()
    const one = hosts[i] as Host
    const other = hosts[j] as Host
    const difference = this.#load(i, nowMs) - this.#load(j, nowMs)
    // What nobody has asked for long costs nothing, however much of it is under way.
    if (difference === 0) return one.activeRequests <= other.activeRequests ? one : other
    return difference < 0 ? one : other
  }

  #load(index: number, nowMs: number): number {
    const host = this.#hosts[index] as Host
    return (this.#costs.decayed(this.#costOf[index] as Cost, nowMs) * (host.activeRequests + 1)) / host.plan.weight
  }
}

/** UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE: the server's fault, or its want of room. */
const FAILED_GRPC = new Set(['2', '4', '8', '13', '14'])

function isFailure(head: ResponseHead): boolean {
  const { status } = head
  if (status >= 500 || status === 429) return true
  const grpcStatus = status === 200 ? head.get('grpc-status') : undefined
  return grpcStatus !== undefined && FAILED_GRPC.has(grpcStatus)
}
