import type { Clock } from '../../../../lib/clock.ts'
import type { Metric, MetricStore } from '../../../../lib/metrics/store.ts'
import type { StreamContext } from '../../../stream/context.ts'
import { SideCall, type SideRequest, type SideResult } from '../../../stream/side-call.ts'
import { type LimitAnswer, type LimitResult, readLimitAnswer } from './answer.ts'

/** Of a question: how many calls the proxy would like to let pass before it asks again. Servers that do not know it grant one. */
export const WANTED_FIELD = 'lateen-quota-wanted'
/** Where a server says how many it has granted, and until when (docs/reference/checks-and-quotas.md). */
const QUOTA_METADATA = 'lateen.mesh/quota'

export const MAX_ENTRIES = 10_000
/** Callers write what descriptors are made of. Of longer ones nothing is kept. */
export const MAX_KEY_LENGTH = 4096
/** Over which the need is measured, and at least foreseen. */
const WINDOW_MS = 1_000
/** No further than this is the need foreseen. */
const MAX_HORIZON_MS = 5_000
const MIN_WANTED = 10
const MAX_WANTED = 100_000
/** So long nothing is asked ahead when there was nothing left, or nobody answered. */
const CLOSED_MS = 500

type Send = (request: SideRequest, onDone: (result: SideResult) => void) => unknown

/** Calls that were granted together. */
interface Grant {
  left: number
  readonly untilMs: number
}

interface Entry {
  /** The oldest first. */
  readonly grants: Grant[]
  /** What was said with the grants, and with a refusal. */
  granted: LimitAnswer | undefined
  refused: LimitAnswer | undefined
  refusedUntilMs: number
  /** Makes the question, to be asked ahead. */
  request: (wanted: number) => SideRequest
  isAsking: boolean
  /** How many the last answer granted. */
  lastGranted: number
  closedUntilMs: number
  horizonMs: number
  /** Calls in the window that is measured, and in the one before. */
  windowStartMs: number
  count: number
  countBefore: number
  placedAt: number
}

/** A question that is under way. */
export interface QuotaAsking {
  readonly wanted: number
  /** What came of it. `used`: how many calls it was asked for itself. */
  end(result: LimitResult, used: number): void
}

/**
 * What servers have granted ahead, of one filter's configuration in one thread, for each set of descriptors. No call passes that was
 * not granted by the server; what is not used in time is lost.
 */
export class QuotaTable {
  readonly #send: Send
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()
  #uses = 0
  readonly #hits: Metric
  readonly #misses: Metric
  readonly #prefetches: Metric
  readonly #evicted: Metric

  /** `send` is how questions are asked ahead. */
  constructor(clock: Clock, metrics: MetricStore, send: Send) {
    this.#clock = clock
    this.#send = send
    const counter = (name: string) => metrics.counter(`ratelimit.${name}`)
    this.#hits = counter('quota_hit')
    this.#misses = counter('quota_miss')
    this.#prefetches = counter('quota_prefetch')
    this.#evicted = counter('quota_evicted')
  }

  get size(): number {
    return this.#entries.size
  }

  /** What is known to hold for one call more; undefined when the server must be asked. */
  take(key: string): LimitAnswer | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    const nowMs = this.#clock.nowMs()
    this.#count(key, entry, nowMs)
    const { grants } = entry
    while (grants.length > 0) {
      const grant = grants[0] as Grant
      if (grant.left > 0 && nowMs < grant.untilMs) {
        grant.left--
        this.#askAhead(entry, nowMs)
        this.#hits.inc()
        return entry.granted
      }
      grants.shift()
    }
    if (nowMs >= entry.refusedUntilMs) return undefined
    this.#hits.inc()
    return entry.refused
  }

  /** Before a question about a call. `request` makes it for so many. */
  begin(key: string, request: Entry['request']): QuotaAsking {
    this.#misses.inc()
    if (key.length > MAX_KEY_LENGTH) return ONE_CALL
    const nowMs = this.#clock.nowMs()
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = newEntry(request, nowMs)
      this.#place(key, entry)
      if (this.#entries.size > MAX_ENTRIES) {
        this.#entries.delete(this.#entries.keys().next().value as string)
        this.#evicted.inc()
      }
      this.#count(key, entry, nowMs)
    }
    // While one asks for many, others ask for themselves only.
    return this.#asking(entry, nowMs, entry.isAsking ? 1 : wantedBy(entry))
  }

  #asking(entry: Entry, nowMs: number, wanted: number): QuotaAsking {
    const isForMany = wanted > 1
    if (isForMany) entry.isAsking = true
    return {
      wanted,
      end: (result, used) => {
        if (isForMany) entry.isAsking = false
        learn(entry, result, used, nowMs, this.#clock.nowMs())
      },
    }
  }

  /** Asks for more while there is some left, so that no call has to wait. */
  #askAhead(entry: Entry, nowMs: number): void {
    if (entry.lastGranted <= 1 || entry.isAsking || nowMs < entry.closedUntilMs) return
    const wanted = wantedBy(entry)
    let left = 0
    for (const grant of entry.grants) if (nowMs < grant.untilMs) left += grant.left
    // A server that gives less than is wanted is not asked again before half of that is used.
    if (left * 2 >= Math.min(wanted, entry.lastGranted)) return
    this.#prefetches.inc()
    const asking = this.#asking(entry, nowMs, wanted)
    this.#send(entry.request(wanted), (side) => asking.end(readLimitAnswer(side), 0))
  }

  #count(key: string, entry: Entry, nowMs: number): void {
    this.#uses++
    if (this.#uses - entry.placedAt > MAX_ENTRIES / 4) this.#place(key, entry)
    const elapsedMs = nowMs - entry.windowStartMs
    if (elapsedMs >= WINDOW_MS) {
      entry.countBefore = elapsedMs < 2 * WINDOW_MS ? entry.count : 0
      entry.count = 0
      entry.windowStartMs = nowMs
    }
    entry.count++
  }

  #place(key: string, entry: Entry): void {
    entry.placedAt = this.#uses
    this.#entries.delete(key)
    this.#entries.set(key, entry)
  }
}

const ONE_CALL: QuotaAsking = { wanted: 1, end() {} }

/** What a FilterMemory keeps of such a configuration. */
export function newQuotaTable(context: StreamContext): QuotaTable {
  return new QuotaTable(context.clock, context.metrics, (request, onDone) => SideCall.send(request, context, onDone))
}

function newEntry(request: Entry['request'], nowMs: number): Entry {
  return {
    grants: [],
    granted: undefined,
    refused: undefined,
    refusedUntilMs: 0,
    request,
    isAsking: false,
    lastGranted: 0,
    closedUntilMs: 0,
    horizonMs: WINDOW_MS,
    windowStartMs: nowMs,
    count: 0,
    countBefore: 0,
    placedAt: 0,
  }
}

/** How many calls are foreseen for as long as grants last. */
function wantedBy({ count, countBefore, horizonMs }: Entry): number {
  const need = Math.ceil((Math.max(count, countBefore) * horizonMs) / WINDOW_MS)
  return Math.min(MAX_WANTED, Math.max(MIN_WANTED, need))
}

/** `askedMs`: since when what was granted counts as granted, at the latest. */
function learn(entry: Entry, result: LimitResult, used: number, askedMs: number, nowMs: number): void {
  if (result.kind === 'error') {
    entry.closedUntilMs = nowMs + CLOSED_MS
    return
  }
  const said = readQuota(result)
  if (said === undefined) {
    entry.lastGranted = 0
    return
  }
  const untilMs = askedMs + said.validDurationMs
  if (result.kind === 'over_limit') {
    entry.refused = result
    entry.refusedUntilMs = untilMs
    entry.closedUntilMs = nowMs + CLOSED_MS
    return
  }
  entry.granted = result
  entry.refusedUntilMs = 0
  entry.lastGranted = said.granted
  entry.horizonMs = Math.min(said.validDurationMs, MAX_HORIZON_MS)
  const left = said.granted - used
  if (left > 0 && nowMs < untilMs) entry.grants.push({ left, untilMs })
}

/** undefined for what is not said as it should be. */
function readQuota({ metadata }: LimitAnswer): { granted: number; validDurationMs: number } | undefined {
  const said = metadata?.[QUOTA_METADATA]
  if (said === null || typeof said !== 'object' || Array.isArray(said)) return undefined
  const { granted, validDurationMs } = said
  if (!Number.isSafeInteger(granted) || typeof validDurationMs !== 'number') return undefined
  return { granted: granted as number, validDurationMs }
}
