import { slotsOfPage } from './page.ts'
import type { MetricLabels, SharedMetric } from './store.ts'

/** A histogram as it is read. */
export interface HistogramReading {
  readonly name: string
  readonly labels: MetricLabels
  /** Upper bounds, ascending; a last bucket without bound is understood. */
  readonly bounds: readonly number[]
  /** How many values fell into each bucket, that without bound last; not cumulative. */
  readonly counts: readonly number[]
  readonly sum: number
}

/** How many slots a histogram takes: a count for each bucket, and the sum. */
export function histogramSlots(bounds: readonly number[]): number {
  return bounds.length + 2
}

/** Counts values by buckets, in neighbouring slots of a typed array. A value on a bound belongs below it, as Prometheus has it. */
export class Histogram implements HistogramReading {
  readonly name: string
  readonly labels: MetricLabels
  readonly bounds: readonly number[]
  readonly #slots: Float64Array
  readonly #index: number

  /** How other threads are told of it. */
  readonly shared: SharedMetric

  constructor(shared: SharedMetric) {
    const { name, labels, bounds = [], page, index } = shared
    this.shared = shared
    this.name = name
    this.labels = labels
    this.bounds = bounds
    this.#slots = slotsOfPage(page)
    this.#index = index
  }

  record(value: number): void {
    const { bounds } = this
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++
    this.#slots[this.#index + bucket]! += 1
    this.#slots[this.#index + bounds.length + 1]! += value
  }

  get counts(): number[] {
    return [...this.#slots.subarray(this.#index, this.#index + this.bounds.length + 1)]
  }

  /** How many values were recorded. */
  get total(): number {
    let total = 0
    for (let i = 0; i <= this.bounds.length; i++) total += this.#slots[this.#index + i] as number
    return total
  }

  get sum(): number {
    return this.#slots[this.#index + this.bounds.length + 1] as number
  }
}

/** The same histogram of several threads as one. */
export function addHistograms(readings: readonly HistogramReading[]): HistogramReading {
  const [first, ...others] = readings
  if (first === undefined) throw new Error('no histogram to add')
  return {
    name: first.name,
    labels: first.labels,
    bounds: first.bounds,
    counts: first.counts.map((count, i) => others.reduce((sum, other) => sum + (other.counts[i] ?? 0), count)),
    sum: others.reduce((sum, other) => sum + other.sum, first.sum),
  }
}
