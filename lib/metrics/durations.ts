import type { MetricLabels, MetricStore } from './store.ts'

/** Envoy's default buckets (envoy: Statistics, "Histogram buckets"), in milliseconds where times are measured. */
export const ENVOY_BUCKETS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
]

/** Takes what was measured. */
export interface Durations {
  record(ms: number): void
}

/**
 * A histogram of milliseconds in Envoy's buckets that is there from its first value on: a proxy knows many clusters that it never calls,
 * and each histogram is twenty lines of every scrape.
 */
export function durations(store: MetricStore, name: string, labels: MetricLabels): Durations {
  return new LateHistogram(store, name, labels)
}

class LateHistogram implements Durations {
  readonly #store: MetricStore
  readonly #name: string
  readonly #labels: MetricLabels
  #made: Durations | undefined

  constructor(store: MetricStore, name: string, labels: MetricLabels) {
    this.#store = store
    this.#name = name
    this.#labels = labels
  }

  record(ms: number): void {
    this.#made ??= this.#store.histogram(this.#name, this.#labels, ENVOY_BUCKETS)
    this.#made.record(ms)
  }
}
