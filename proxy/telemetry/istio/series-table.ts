import type { Clock, Timer } from '../../../lib/clock.ts'
import { createLogger } from '../../../lib/log.ts'
import { Histogram } from '../../../lib/metrics/histogram.ts'
import type { Metric, MetricLabels, MetricStore } from '../../../lib/metrics/store.ts'
import type { Sink } from '../sinks.ts'
import type { StatsPlan } from './config.ts'
import { labelsOf, OVERFLOW, overflowLabels, type SeriesSubject } from './labels.ts'
import { BUCKETS, GRPC_METRICS, HTTP_METRICS, isDropped, type MetricName, TCP_METRICS } from './metrics.ts'

/** How often is looked for series that are idle. */
const SWEEP_MS = 30_000
/** Nobody scrapes: what is idle for so many times the time goes all the same. */
const UNSCRAPED_FACTOR = 24

type Slot = Metric | Histogram

/** All that is counted of calls, or of connections, of one set of labels. What configuration leaves out is undefined. */
export class Series {
  /** Over: whoever holds it asks the table for another. */
  isGone = false
  /** Connections are open that will be counted in it. */
  holds = 0
  /** There was no room, and others are counted here too. */
  readonly isOverflow: boolean
  readonly slots: readonly Slot[]
  readonly requests: Metric | undefined
  readonly duration: Histogram | undefined
  readonly requestBytes: Histogram | undefined
  readonly responseBytes: Histogram | undefined
  readonly requestMessages: Metric | undefined
  readonly responseMessages: Metric | undefined
  readonly opened: Metric | undefined
  readonly closed: Metric | undefined
  readonly sentBytes: Metric | undefined
  readonly receivedBytes: Metric | undefined
  #seen = 0
  #changedMs: number
  #scrapesThen = -1

  constructor(slots: ReadonlyMap<MetricName, Slot>, isOverflow: boolean, nowMs: number) {
    this.isOverflow = isOverflow
    this.slots = [...slots.values()]
    this.#changedMs = nowMs
    const counter = (name: MetricName) => slots.get(name) as Metric | undefined
    const histogram = (name: MetricName) => slots.get(name) as Histogram | undefined
    this.requests = counter('requests_total')
    this.duration = histogram('request_duration_milliseconds')
    this.requestBytes = histogram('request_bytes')
    this.responseBytes = histogram('response_bytes')
    this.requestMessages = counter('request_messages_total')
    this.responseMessages = counter('response_messages_total')
    this.opened = counter('tcp_connections_opened_total')
    this.closed = counter('tcp_connections_closed_total')
    this.sentBytes = counter('tcp_sent_bytes_total')
    this.receivedBytes = counter('tcp_received_bytes_total')
  }

  /**
   * Whether it has not changed for so long, and somebody has read its last change. A change counts from when it is seen, so that
   * a scrape before that does not count.
   */
  isIdle(idleMs: number, nowMs: number, scrapes: number): boolean {
    const now = this.slots.reduce((sum, slot) => sum + totalOf(slot), 0)
    if (now !== this.#seen || this.#scrapesThen < 0) {
      this.#seen = now
      this.#changedMs = nowMs
      this.#scrapesThen = scrapes
      return false
    }
    if (this.holds > 0 || this.isOverflow) return false
    const forMs = nowMs - this.#changedMs
    return (forMs >= idleMs && scrapes > this.#scrapesThen) || forMs >= idleMs * UNSCRAPED_FACTOR
  }
}

function totalOf(slot: Slot): number {
  return slot instanceof Histogram ? slot.total : slot.value
}

export interface SeriesTableOptions {
  readonly metrics: MetricStore
  readonly clock: Clock
  /** How many series may be there, a histogram being one; what comes beyond is counted together. */
  readonly limit: number
}

/** Istio's series of one thread: finds or makes those of a set of labels, within a budget, and lets idle ones go. */
export class SeriesTable implements Sink {
  readonly #options: SeriesTableOptions
  readonly #byKey = new Map<string, Series>()
  readonly #gauge: Metric
  readonly #overflows: Metric
  #count = 0
  #hasWarned = false
  /** The shortest that a configuration asks for. */
  #idleMs = Number.POSITIVE_INFINITY
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: SeriesTableOptions) {
    this.#options = options
    this.#gauge = options.metrics.gauge('lateen_metrics_series')
    this.#overflows = options.metrics.counter('lateen_metrics_overflow_total')
  }

  /** How many series are within the budget. */
  get size(): number {
    return this.#count
  }

  /** `tags` are the values of the plan's expressions. Off the path of calls that are like those before: it makes texts. */
  find(subject: SeriesSubject, plan: StatsPlan, tags: readonly string[]): Series {
    this.#watch(plan.idleMs)
    const labels = labelsOf(subject)
    const names = namesFor(subject, plan)
    const series =
      this.#find(labels, names, plan, tags) ??
      this.#find(overflowLabels(labels), names, plan, tags.map(overflowed), true)
    if (series === undefined) throw new Error('no series for overflow')
    if (series.isOverflow) this.#overflows.inc()
    return series
  }

  #find(
    labels: MetricLabels,
    names: ReadonlyMap<MetricName, string>,
    plan: StatsPlan,
    tags: readonly string[],
    isOverflow = false,
  ): Series | undefined {
    const text = JSON.stringify([labels, tags])
    const key = `${plan.key}${text}`
    const found = this.#byKey.get(key)
    if (found !== undefined) return found
    if (!isOverflow && this.#count + names.size > this.#options.limit) {
      this.#warn()
      return undefined
    }
    const slots = new Map<MetricName, Slot>()
    // Texts of its own (see ownText), as those of the key are.
    const [ownLabels, ownTags] = JSON.parse(text) as [MetricLabels, string[]]
    for (const [name, full] of names) slots.set(name, this.#slot(full, changed(ownLabels, name, plan, ownTags)))
    const series = new Series(slots, isOverflow, this.#options.clock.nowMs())
    this.#byKey.set(key, series)
    if (!isOverflow) {
      this.#count += names.size
      this.#gauge.set(this.#count)
    }
    return series
  }

  #slot(name: string, labels: MetricLabels): Slot {
    const { metrics } = this.#options
    return name.endsWith('_total') ? metrics.counter(name, labels) : metrics.histogram(name, labels, BUCKETS)
  }

  #warn(): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const { limit } = this.#options
    createLogger('metrics').warning('more series than there is room for; what is new is counted together', {
      limit,
      labels: OVERFLOW,
    })
  }

  // --- letting go ---

  #watch(idleMs: number): void {
    this.#idleMs = Math.min(this.#idleMs, idleMs)
    if (this.#timer !== undefined || this.#isClosed) return
    this.#timer = this.#options.clock.setTimer(SWEEP_MS, () => {
      this.#timer = undefined
      this.#sweep()
      if (this.#byKey.size > 0) this.#watch(this.#idleMs)
    })
  }

  #sweep(): void {
    const { clock, metrics } = this.#options
    const nowMs = clock.nowMs()
    const idle: [string, Series][] = []
    const kept = new Set<Slot>()
    for (const entry of this.#byKey) {
      const [, series] = entry
      if (series.isIdle(this.#idleMs, nowMs, metrics.scrapes)) idle.push(entry)
      else for (const slot of series.slots) kept.add(slot)
    }
    for (const [key, series] of idle) {
      series.isGone = true
      this.#byKey.delete(key)
      this.#count -= series.slots.length
      // Where labels are left out several share a slot.
      for (const slot of series.slots) if (!kept.has(slot)) metrics.release(slot)
    }
    this.#gauge.set(this.#count)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }
}

function namesFor({ protocol }: SeriesSubject, plan: StatsPlan): Map<MetricName, string> {
  const known =
    protocol === 'tcp' ? TCP_METRICS : protocol === 'grpc' ? { ...HTTP_METRICS, ...GRPC_METRICS } : HTTP_METRICS
  const names = Object.entries(known) as [MetricName, string][]
  return new Map(names.filter(([name]) => !isDropped(plan, name)))
}

/** The messages of gRPC are counted without their answer, as in Istio. */
const WITHOUT_ANSWER: ReadonlySet<string> = new Set(['response_code', 'grpc_response_status'])

function changed(
  labels: MetricLabels,
  name: MetricName,
  { changes }: StatsPlan,
  values: readonly string[],
): MetricLabels {
  const change = changes.get(name)
  const isMessages = name === 'request_messages_total' || name === 'response_messages_total'
  if (change === undefined && !isMessages) return labels
  const kept = Object.entries(labels).filter(
    ([label]) => !change?.removed.has(label) && !(isMessages && WITHOUT_ANSWER.has(label)),
  )
  const tags = [...(change?.tags ?? [])].map(([label, i]) => [label, values[i] ?? ''])
  return Object.fromEntries([...kept, ...tags])
}

function overflowed(): string {
  return OVERFLOW
}
