import { WheelTimer } from '../../../../lib/timer-wheel.ts'
import type { StreamContext } from '../../../stream/context.ts'
import { SideCall, type SideResult } from '../../../stream/side-call.ts'
import { KeySet, MAX_KEY_SET_BYTES } from './key-set.ts'

export interface RemoteJwksOptions {
  readonly cluster: string
  readonly authority: string
  readonly path: string
  readonly timeoutMs: number
  readonly cacheMs: number
}

/** A fetch that failed is not made again before. */
const RETRY_AFTER_MS = 1000
/** A token with a key that is not known has them fetched again, but not more often: anybody can make such tokens. */
const REFETCH_AFTER_MS = 10_000
/** Keys are fetched anew when so much of their time has passed, so that no request has to wait for that. */
const REFRESH_AT = 0.8

/**
 * Keys that a server has (envoy.extensions.filters.http.jwt_authn.v3.RemoteJwks). They are fetched when the configuration
 * begins to be served, again in the background before their time is over, and once more for a key that is not known. What a
 * server that has failed said last stays in use.
 */
export class RemoteJwks {
  readonly options: RemoteJwksOptions
  keys: KeySet | undefined
  readonly #waiting = new Set<() => void>()
  #call: SideCall | undefined
  #lastTryMs = Number.NEGATIVE_INFINITY
  #lastFailed = false

  constructor(options: RemoteJwksOptions) {
    this.options = options
  }

  /** Keeps the keys fresh until the function that is returned is called. */
  keepFresh(context: StreamContext): () => void {
    const { cacheMs } = this.options
    let isOver = false
    const next = () => {
      if (!isOver) context.wheel.arm(timer, this.#lastFailed ? RETRY_AFTER_MS : cacheMs * REFRESH_AT)
    }
    const refresh = () => this.fetch(context, next)
    const timer = new WheelTimer(context.bugs.guard('jwks', refresh, () => {}))
    refresh()
    return () => {
      isOver = true
      context.wheel.disarm(timer)
    }
  }

  /** Whether asking the server could help: it was not asked just now. `nowMs` is of the monotonic clock. */
  mayFetch(nowMs: number): boolean {
    if (this.#call !== undefined) return true
    return nowMs - this.#lastTryMs >= (this.keys === undefined ? RETRY_AFTER_MS : REFETCH_AFTER_MS)
  }

  /** Fetches, or waits for the fetch that is under way. The function that is returned stops the waiting. */
  fetch(context: StreamContext, onDone: () => void): () => void {
    this.#waiting.add(onDone)
    if (this.#call === undefined) this.#start(context)
    return () => this.#waiting.delete(onDone)
  }

  #start(context: StreamContext): void {
    const { cluster, authority, path, timeoutMs } = this.options
    this.#lastTryMs = context.clock.nowMs()
    const request = {
      cluster,
      method: 'GET',
      authority,
      path,
      headers: [['accept', 'application/json']] as const,
      body: undefined,
      timeoutMs,
      maxResponseBytes: MAX_KEY_SET_BYTES,
    }
    let isDone = false
    const call = SideCall.send(request, context, (result) => {
      isDone = true
      this.#call = undefined
      this.#take(result, context)
    })
    // It may have failed at once.
    if (!isDone) this.#call = call
  }

  #take(result: SideResult, { metrics }: StreamContext): void {
    const fetched =
      result.kind === 'answered' && result.status === 200 ? KeySet.parse(result.body.toString('utf8')) : undefined
    this.#lastFailed = fetched === undefined
    metrics.counter(`jwt_authn.jwks_fetch_${fetched === undefined ? 'failed' : 'success'}`).inc()
    if (fetched !== undefined) this.keys = fetched
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const onDone of waiting) onDone()
  }
}
