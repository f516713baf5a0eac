import { PUSH_ORDER, TYPE_URL, type TypeUrl } from '../../api/type-urls.ts'
import type { Clock } from '../../lib/clock.ts'
import { difference, endpointsToForce } from './diff.ts'
import type { Message } from './message.ts'
import { Subscription } from './subscription.ts'
import type { EncodedResource, NodeIdentity, ResourceView } from './view.ts'

/** How a stream reaches its client. */
export interface StreamSink {
  /** False asks to wait for XdsStream.onWritable(). */
  write(message: Message): boolean
  /** A name was asked for that there is nothing of, for a reason that somebody should be told. */
  onWithheld?(type: TypeUrl, name: string, reason: string): void
}

/** What is counted for all streams together. */
export interface XdsCounters {
  pushes(type: TypeUrl, bytes: number): void
  /** How long it took to find out what a client lacks and to write it. */
  pushTook(type: TypeUrl, ms: number): void
  rejects(type: TypeUrl): void
  expiredNonce(type: TypeUrl): void
  /** A client has taken all that a change meant for it, so long after the change. */
  converged(ms: number): void
}

/**
 * One connected client: what it wants, what it holds, and what it still lacks. At most one response of a type is
 * unanswered at any time; changes that come meanwhile are merged into the next. Routes and listeners wait until the
 * clusters and endpoints of the same view were answered, and a newer view waits for them. A client that reads slowly is
 * sent nothing until it does.
 */
export abstract class XdsStream {
  readonly node: NodeIdentity
  readonly connectedAtMs: number
  readonly subscriptions = new Map<TypeUrl, Subscription>()
  view: ResourceView
  readonly #sink: StreamSink
  readonly #clock: Clock
  readonly #counters: XdsCounters
  #isWritable = true
  #nonce = 0
  /** A newer view, while routes of this one wait for its clusters: it could take away what they name. */
  #nextView: ResourceView | undefined
  /** Of the oldest change that the client has not taken whole. */
  #changedAtMs: number | undefined
  /** Something of it was sent. */
  #hasSent = false

  constructor(node: NodeIdentity, view: ResourceView, sink: StreamSink, clock: Clock, counters: XdsCounters) {
    this.node = node
    this.view = view
    this.#sink = sink
    this.#clock = clock
    this.#counters = counters
    this.connectedAtMs = clock.wallMs()
  }

  /** A generation was published; `view` is this client's part of it, of a change that came at `changedAtMs`. */
  setView(view: ResourceView, changedAtMs?: number): void {
    if (view !== this.view && this.#changedAtMs === undefined) {
      this.#changedAtMs = changedAtMs
      this.#hasSent = false
    }
    if (this.#clustersAreUnanswered() && this.#hasRoutesToSend()) {
      this.#nextView = view
      return
    }
    if (view === this.view) return
    this.view = view
    this.push()
  }

  onWritable(): void {
    this.#isWritable = true
    this.push()
  }

  /** Sends what the client lacks, type by type, so that nothing is named before it was sent. */
  push(): void {
    for (const type of PUSH_ORDER) {
      const subscription = this.subscriptions.get(type)
      if (subscription === undefined) continue
      if (!this.#isWritable) return
      // What is unanswered is brought up to date when the answer comes.
      if (subscription.isAwaitingAck) continue
      if (ROUTING_TYPES.includes(type) && this.#clustersAreUnanswered()) continue
      this.#pushType(subscription)
    }
    this.#releaseLingering()
    const next = this.#nextView
    if (next === undefined) {
      this.#noteConvergence()
      return
    }
    this.#nextView = undefined
    this.setView(next)
  }

  /** When everything is answered that a change made us send. */
  #noteConvergence(): void {
    if (this.#changedAtMs === undefined) return
    for (const { isAwaitingAck } of this.subscriptions.values()) if (isAwaitingAck) return
    if (this.#hasSent) this.#counters.converged(this.#clock.nowMs() - this.#changedAtMs)
    this.#changedAtMs = undefined
  }

  #clustersAreUnanswered(): boolean {
    return CLUSTER_TYPES.some((type) => this.subscriptions.get(type)?.isAwaitingAck === true)
  }

  #pushType(subscription: Subscription): void {
    const { type } = subscription
    const startedMs = this.#clock.nowMs()
    const { updated, removed } = difference(subscription, this.view)
    if (this.view.withheld !== undefined) this.#noteWithheld(subscription)
    const gone = type === TYPE_URL.cluster ? this.#holdBack(subscription, removed) : removed
    if (updated.length === 0 && gone.length === 0 && !subscription.mustAnswer) {
      this.#remember(subscription)
      return
    }
    if (type === TYPE_URL.cluster) {
      const endpoints = this.subscriptions.get(TYPE_URL.endpoint)
      for (const name of endpointsToForce(updated, endpoints)) endpoints?.forced.add(name)
    }
    this.send(subscription, updated, gone)
    this.#remember(subscription)
    this.#counters.pushTook(type, this.#clock.nowMs() - startedMs)
  }

  /** Once for each reason, as long as it lasts. */
  #noteWithheld({ type, names, withheld }: Subscription): void {
    if (type !== TYPE_URL.secret) return
    for (const name of withheld.keys()) if (!names.has(name)) withheld.delete(name)
    for (const name of names) {
      const reason = this.view.withheld?.(type, name)
      if (reason === withheld.get(name)) continue
      if (reason === undefined) withheld.delete(name)
      else {
        withheld.set(name, reason)
        this.#sink.onWithheld?.(type, name, reason)
      }
    }
  }

  #remember(subscription: Subscription): void {
    if (subscription.isWildcard) subscription.lastList = this.view.list(subscription.type)
    subscription.syncedView = this.view
  }

  /**
   * A cluster that goes is kept at the client until the routes and listeners of the same generation are in force there,
   * so that no request meets a route without its cluster.
   */
  #holdBack(subscription: Subscription, removed: readonly string[]): readonly string[] {
    if (removed.length === 0) return removed
    if (!this.#hasRoutesToCome()) return [...removed, ...this.#takeLingering(subscription)]
    for (const name of removed) {
      if (subscription.sent.get(name) === '' || subscription.names.has(name)) continue
      const last = subscription.lastList?.find((resource) => resource.name === name)
      if (last !== undefined) subscription.lingering.set(name, last)
    }
    return removed.filter((name) => !subscription.lingering.has(name))
  }

  #hasRoutesToCome(): boolean {
    return ROUTING_TYPES.some((type) => this.subscriptions.get(type)?.isAwaitingAck === true) || this.#hasRoutesToSend()
  }

  #hasRoutesToSend(): boolean {
    return ROUTING_TYPES.some((type) => {
      const subscription = this.subscriptions.get(type)
      if (subscription === undefined || subscription.isAwaitingAck) return false
      const { updated, removed } = difference(subscription, this.view)
      return updated.length > 0 || removed.length > 0
    })
  }

  #releaseLingering(): void {
    const clusters = this.subscriptions.get(TYPE_URL.cluster)
    if (clusters === undefined || clusters.lingering.size === 0 || clusters.isAwaitingAck || !this.#isWritable) return
    if (this.#hasRoutesToCome()) return
    const names = this.#takeLingering(clusters)
    if (names.length > 0) this.send(clusters, [], names)
  }

  /** Of the clusters that were held back, those that have not come again. */
  #takeLingering({ lingering }: Subscription): string[] {
    const names = [...lingering.keys()].filter((name) => this.view.get(TYPE_URL.cluster, name) === undefined)
    lingering.clear()
    return names
  }

  /** Writes one response and notes it as unanswered. */
  protected write(subscription: Subscription, encode: (nonce: string) => Message): void {
    subscription.nonce = String(++this.#nonce)
    subscription.isAwaitingAck = true
    this.#hasSent = true
    subscription.mustAnswer = false
    subscription.forced.clear()
    subscription.sentAtMs = this.#clock.wallMs()
    const message = encode(subscription.nonce)
    this.#counters.pushes(subscription.type, message.length)
    this.#isWritable = this.#sink.write(message)
  }

  protected abstract send(
    subscription: Subscription,
    updated: readonly EncodedResource[],
    removed: readonly string[],
  ): void

  protected noteExpiredNonce(type: TypeUrl): void {
    this.#counters.expiredNonce(type)
  }

  /** The client has answered the newest response. */
  protected onAnswer(subscription: Subscription, error: string | undefined): void {
    subscription.isAwaitingAck = false
    subscription.ackedAtMs = this.#clock.wallMs()
    subscription.lastError = error ?? ''
    if (error !== undefined) this.#counters.rejects(subscription.type)
  }

  protected subscription(type: TypeUrl): { subscription: Subscription; isFirst: boolean } {
    const found = this.subscriptions.get(type)
    if (found !== undefined) return { subscription: found, isFirst: false }
    const subscription = new Subscription(type)
    this.subscriptions.set(type, subscription)
    return { subscription, isFirst: true }
  }
}

const CLUSTER_TYPES: readonly TypeUrl[] = [TYPE_URL.cluster, TYPE_URL.endpoint]
const ROUTING_TYPES: readonly TypeUrl[] = [TYPE_URL.listener, TYPE_URL.route, TYPE_URL.virtualHost]
