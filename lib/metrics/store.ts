import { Histogram, type HistogramReading, histogramSlots } from './histogram.ts'

/** Slots are kept in pages of this many, so that growing never moves a slot that someone holds. */
const PAGE_SLOTS = 1024

export type MetricLabels = Readonly<Record<string, string>>

/**
 * How the slots that the threads of one process have for one metric become one number: counts and most gauges add up;
 * gauges that say the same in every thread (`same`) count once.
 */
export type MetricMerge = 'sum' | 'same'

/** A metric as it is read. */
export interface MetricReading {
  readonly name: string
  readonly labels: MetricLabels
  readonly kind: 'counter' | 'gauge'
  readonly value: number
}

/** Where readings come from: the metrics of this thread, or of all threads together. */
export interface MetricSource {
  /** Every metric, sorted by name. */
  all(): readonly MetricReading[]
  /** Every histogram, sorted by name; none is among the metrics of all(). */
  histograms(): readonly HistogramReading[]
}

/** A slot as another thread can read it. */
export interface SharedMetric {
  readonly name: string
  readonly labels: MetricLabels
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly merge: MetricMerge
  readonly page: SharedArrayBuffer
  readonly index: number
  /** A histogram's: it has several slots from `index` on. */
  readonly bounds?: readonly number[]
}

/** A counter or gauge: one slot of a typed array. Counting is one addition, whatever its name and labels. */
export class Metric implements MetricReading {
  readonly name: string
  readonly labels: MetricLabels
  readonly kind: 'counter' | 'gauge'
  readonly merge: MetricMerge
  readonly #page: Float64Array
  readonly #index: number

  constructor({ name, labels, kind, merge, page, index }: SharedMetric) {
    this.name = name
    this.labels = labels
    this.kind = kind === 'gauge' ? 'gauge' : 'counter'
    this.merge = merge
    this.#page = new Float64Array(page)
    this.#index = index
  }

  get value(): number {
    return this.#page[this.#index] as number
  }

  inc(): void {
    this.#page[this.#index]! += 1
  }

  dec(): void {
    this.#page[this.#index]! -= 1
  }

  add(amount: number): void {
    this.#page[this.#index]! += amount
  }

  set(value: number): void {
    this.#page[this.#index] = value
  }
}

/** All metrics of one thread, by name and labels. Names are looked up when configuration changes, never per request. */
export class MetricStore implements MetricSource {
  readonly #byKey = new Map<string, Metric>()
  readonly #histograms = new Map<string, Histogram>()
  readonly #onCreated: (metric: SharedMetric) => void
  #page = newPage()
  #used = 0

  /** `onCreated` hears of every new slot, so that it can tell another thread. */
  constructor(onCreated: (metric: SharedMetric) => void = () => {}) {
    this.#onCreated = onCreated
  }

  counter(name: string, labels: MetricLabels = {}): Metric {
    return this.#metric(name, labels, 'counter', 'sum')
  }

  gauge(name: string, labels: MetricLabels = {}, merge: MetricMerge = 'sum'): Metric {
    return this.#metric(name, labels, 'gauge', merge)
  }

  /** `bounds`: upper bounds of the buckets, ascending; a bucket without bound comes last by itself. */
  histogram(name: string, labels: MetricLabels, bounds: readonly number[]): Histogram {
    const key = metricKey(name, labels)
    const found = this.#histograms.get(key)
    if (found !== undefined) return found
    const shared = {
      name,
      labels,
      kind: 'histogram',
      merge: 'sum',
      bounds,
      ...this.#take(histogramSlots(bounds)),
    } as const
    const histogram = new Histogram(shared)
    this.#histograms.set(key, histogram)
    this.#onCreated(shared)
    return histogram
  }

  all(): Metric[] {
    return [...this.#byKey.values()].sort(byName)
  }

  histograms(): Histogram[] {
    return [...this.#histograms.values()].sort(byName)
  }

  #metric(name: string, labels: MetricLabels, kind: 'counter' | 'gauge', merge: MetricMerge): Metric {
    const key = metricKey(name, labels)
    const found = this.#byKey.get(key)
    if (found !== undefined) return found
    const shared = { name, labels, kind, merge, ...this.#take(1) }
    const metric = new Metric(shared)
    this.#byKey.set(key, metric)
    this.#onCreated(shared)
    return metric
  }

  /** Neighbouring slots that nobody has. */
  #take(slots: number): { page: SharedArrayBuffer; index: number } {
    if (this.#used + slots > PAGE_SLOTS) {
      this.#page = newPage()
      this.#used = 0
    }
    const index = this.#used
    this.#used += slots
    return { page: this.#page, index }
  }
}

export function metricKey(name: string, labels: MetricLabels): string {
  return `${name}${JSON.stringify(labels)}`
}

export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

function newPage(): SharedArrayBuffer {
  return new SharedArrayBuffer(PAGE_SLOTS * 8)
}
