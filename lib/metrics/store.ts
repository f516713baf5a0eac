import { Histogram, type HistogramReading, histogramSlots } from './histogram.ts'
import { MetricMap } from './metric-map.ts'
import { newPage, PAGE_SLOTS, slotsOfPage } from './page.ts'

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

/** One object for all that have none. */
export const NO_LABELS: MetricLabels = {}

/**
 * A counter or gauge: one slot of a typed array. Counting is one addition, whatever its name and labels. A proxy has seventy for
 * each cluster, so that they hold nothing of their own but where their slot is.
 */
export class Metric implements MetricReading {
  readonly name: string
  readonly labels: MetricLabels
  readonly kind: 'counter' | 'gauge'
  readonly merge: MetricMerge
  readonly #slots: Float64Array
  readonly #index: number

  constructor({ name, labels, kind, merge, page, index }: SharedMetric) {
    this.name = name
    this.labels = labels
    this.kind = kind === 'gauge' ? 'gauge' : 'counter'
    this.merge = merge
    this.#slots = slotsOfPage(page)
    this.#index = index
  }

  /** How other threads are told of it. */
  get shared(): SharedMetric {
    const { name, labels, kind, merge } = this
    return { name, labels, kind, merge, page: this.#slots.buffer as SharedArrayBuffer, index: this.#index }
  }

  get value(): number {
    return this.#slots[this.#index] as number
  }

  inc(): void {
    this.#slots[this.#index]! += 1
  }

  dec(): void {
    this.#slots[this.#index]! -= 1
  }

  add(amount: number): void {
    this.#slots[this.#index]! += amount
  }

  set(value: number): void {
    this.#slots[this.#index] = value
  }
}

interface SlotPlace {
  readonly page: SharedArrayBuffer
  readonly index: number
}

/** Where a metric was that has been released, as far as its slots must be known. */
export type FreedSlots = Pick<SharedMetric, 'page' | 'index' | 'kind' | 'bounds'>

function slotsOf({ kind, bounds = [] }: FreedSlots): number {
  return kind === 'histogram' ? histogramSlots(bounds) : 1
}

/** All metrics of one thread, by name and labels. Names are looked up when configuration changes, never per request. */
export class MetricStore implements MetricSource {
  readonly #metrics = new MetricMap<Metric>()
  readonly #histograms = new MetricMap<Histogram>()
  readonly #onCreated: (metric: SharedMetric) => void
  #page = newPage()
  #used = 0

  readonly #onReleased: ((metric: SharedMetric) => void) | undefined
  /** Slots that were released and that nobody reads any more, by how many neighbours they are. */
  readonly #free = new Map<number, SlotPlace[]>()
  /** How often all that is here was read out, by whoever keeps it. */
  scrapes = 0

  /**
   * `onCreated` hears of every new slot, so that it can tell another thread; `onReleased` of each that is let go, which that thread
   * then gives back by free(). Without it slots are free at once.
   */
  constructor(onCreated: (metric: SharedMetric) => void = () => {}, onReleased?: (metric: SharedMetric) => void) {
    this.#onCreated = onCreated
    this.#onReleased = onReleased
  }

  counter(name: string, labels: MetricLabels = NO_LABELS): Metric {
    return this.#metric(name, labels, 'counter', 'sum')
  }

  gauge(name: string, labels: MetricLabels = NO_LABELS, merge: MetricMerge = 'sum'): Metric {
    return this.#metric(name, labels, 'gauge', merge)
  }

  /** `bounds`: upper bounds of the buckets, ascending; a bucket without bound comes last by itself. */
  histogram(name: string, labels: MetricLabels, bounds: readonly number[]): Histogram {
    return this.#histograms.getOrMake(name, labels, (held) => {
      const place = this.#take(histogramSlots(bounds))
      const shared = { name: held, labels, kind: 'histogram', merge: 'sum', bounds, ...place } as const
      this.#onCreated(shared)
      return new Histogram(shared)
    })
  }

  /** The metric is over, and is no longer read. Nobody must count in it from now on: its slots become another's. */
  release(metric: Metric | Histogram): void {
    const { name, labels, shared } = metric
    const map: MetricMap<Metric | Histogram> = shared.kind === 'histogram' ? this.#histograms : this.#metrics
    if (map.get(name, labels) !== metric) return
    map.delete(name, labels)
    if (this.#onReleased === undefined) this.free(shared)
    else this.#onReleased(shared)
  }

  /** Nobody reads these slots any more. */
  free(place: FreedSlots): void {
    const slots = slotsOf(place)
    slotsOfPage(place.page).fill(0, place.index, place.index + slots)
    const free = this.#free.get(slots)
    if (free === undefined) this.#free.set(slots, [place])
    else free.push(place)
  }

  all(): Metric[] {
    return [...this.#metrics.values()]
  }

  histograms(): Histogram[] {
    return [...this.#histograms.values()]
  }

  #metric(name: string, labels: MetricLabels, kind: 'counter' | 'gauge', merge: MetricMerge): Metric {
    return this.#metrics.getOrMake(name, labels, (held) => {
      const { page, index } = this.#take(1)
      const metric = new Metric({ name: held, labels, kind, merge, page, index })
      this.#onCreated(metric.shared)
      return metric
    })
  }

  /** Neighbouring slots that nobody has. */
  #take(slots: number): SlotPlace {
    const freed = this.#free.get(slots)?.pop()
    if (freed !== undefined) return { page: freed.page, index: freed.index }
    if (this.#used + slots > PAGE_SLOTS) {
      this.#page = newPage()
      this.#used = 0
    }
    const index = this.#used
    this.#used += slots
    return { page: this.#page, index }
  }
}

export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
