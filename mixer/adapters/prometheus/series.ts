/** One line of a metric: a number, or the parts of a histogram. */
export interface Series {
  readonly labels: readonly string[]
  /** The count, the last value, or a histogram's sum. */
  value: number
  /** Of a histogram: how many fell into each bucket, and above all. */
  readonly buckets: number[] | undefined
  touchedMs: number
}

/** The labels of the series into which goes what is beyond the bound. */
export const OVERFLOW = 'overflow'

/** Labels are joined by a character that none needs. */
export function seriesKey(labels: readonly string[]): string {
  return labels.length === 1 ? (labels[0] as string) : labels.join('\u0000')
}

/** The series of one metric, by their labels. There are never more than `maxSeries` and one for all others together. */
export class SeriesTable {
  readonly #maxSeries: number
  readonly #labelCount: number
  readonly #bounds: readonly number[] | undefined
  readonly #byKey = new Map<string, Series>()
  #overflow: Series | undefined
  /** How often something fell into the overflow. */
  overflowed = 0

  constructor(labelCount: number, maxSeries: number, bounds: readonly number[] | undefined) {
    this.#labelCount = labelCount
    this.#maxSeries = maxSeries
    this.#bounds = bounds
  }

  /** `labels` in the order of the metric's, and what seriesKey() makes of them. */
  at(labels: readonly string[], key: string, nowMs: number): Series {
    let series = this.#byKey.get(key)
    if (series === undefined) {
      if (this.#byKey.size >= this.#maxSeries) {
        this.overflowed++
        this.#overflow ??= this.#make(new Array<string>(this.#labelCount).fill(OVERFLOW), nowMs)
        series = this.#overflow
      } else {
        series = this.#make(labels, nowMs)
        this.#byKey.set(key, series)
      }
    }
    series.touchedMs = nowMs
    return series
  }

  observe(series: Series, value: number): void {
    const { buckets } = series
    if (buckets === undefined || this.#bounds === undefined) return
    let low = 0
    let high = this.#bounds.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (value <= (this.#bounds[middle] as number)) high = middle
      else low = middle + 1
    }
    buckets[low]! += 1
    series.value += value
  }

  /** Forgets what was not touched since. */
  expire(beforeMs: number): void {
    for (const [key, { touchedMs }] of this.#byKey) if (touchedMs < beforeMs) this.#byKey.delete(key)
  }

  all(): Series[] {
    return this.#overflow === undefined ? [...this.#byKey.values()] : [...this.#byKey.values(), this.#overflow]
  }

  #make(labels: readonly string[], nowMs: number): Series {
    const buckets = this.#bounds && new Array<number>(this.#bounds.length + 1).fill(0)
    return { labels, value: 0, buckets, touchedMs: nowMs }
  }
}
