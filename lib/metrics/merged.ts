import { addHistograms, Histogram, type HistogramReading } from './histogram.ts'
import { byName, Metric, type MetricReading, type MetricSource, metricKey, type SharedMetric } from './store.ts'

interface Family {
  readonly shape: SharedMetric
  readonly slots: Map<number, Metric>
  /** What threads that have ended had counted. */
  left: number
}

interface HistogramFamily {
  readonly slots: Map<number, HistogramReading>
  /** What threads that have ended had counted. */
  left: HistogramReading | undefined
}

/** The metrics of all threads of a process as one: read from the slots that each thread writes for itself. */
export class MergedMetrics implements MetricSource {
  readonly #own: MetricSource
  readonly #families = new Map<string, Family>()
  readonly #histograms = new Map<string, HistogramFamily>()

  /** `own` are those of this thread. */
  constructor(own: MetricSource) {
    this.#own = own
  }

  /** A thread has a new slot. */
  add(thread: number, shared: SharedMetric): void {
    const key = metricKey(shared.name, shared.labels)
    if (shared.kind === 'histogram') {
      const family = this.#histograms.get(key) ?? { slots: new Map(), left: undefined }
      this.#histograms.set(key, family)
      family.slots.set(thread, new Histogram(shared))
      return
    }
    let family = this.#families.get(key)
    if (family === undefined) {
      family = { shape: shared, slots: new Map(), left: 0 }
      this.#families.set(key, family)
    }
    family.slots.set(thread, new Metric(shared))
  }

  /** A thread has ended: what it counted stays, its gauges are over. */
  drop(thread: number): void {
    for (const family of this.#families.values()) {
      const slot = family.slots.get(thread)
      if (slot?.kind === 'counter') family.left += slot.value
      family.slots.delete(thread)
    }
    for (const family of this.#histograms.values()) {
      const slot = family.slots.get(thread)
      if (slot === undefined) continue
      leave(family, slot)
      family.slots.delete(thread)
    }
  }

  /**
   * A thread has let a metric go, and its slot will be another's. What was counted stays as long as other threads have the metric; then
   * all of it goes.
   */
  forget(thread: number, { kind, name, labels }: SharedMetric): void {
    const key = metricKey(name, labels)
    const histograms = this.#histograms.get(key)
    if (kind === 'histogram' && histograms !== undefined) {
      const slot = histograms.slots.get(thread)
      if (slot !== undefined) leave(histograms, slot)
      histograms.slots.delete(thread)
      if (histograms.slots.size === 0) this.#histograms.delete(key)
    }
    const family = this.#families.get(key)
    if (kind === 'histogram' || family === undefined) return
    const slot = family.slots.get(thread)
    if (slot?.kind === 'counter') family.left += slot.value
    family.slots.delete(thread)
    if (family.slots.size === 0) this.#families.delete(key)
  }

  histograms(): HistogramReading[] {
    const own = new Map(this.#own.histograms().map((reading) => [metricKey(reading.name, reading.labels), reading]))
    for (const [key, { slots, left }] of this.#histograms) {
      const parts = [own.get(key), left, ...slots.values()].filter((part) => part !== undefined)
      if (parts.length > 0) own.set(key, addHistograms(parts))
    }
    return [...own.values()].sort(byName)
  }

  all(): MetricReading[] {
    const readings = new Map<string, MetricReading>()
    for (const metric of this.#own.all()) readings.set(metricKey(metric.name, metric.labels), metric)
    for (const [key, { shape, slots, left }] of this.#families) {
      if (slots.size === 0 && shape.kind === 'gauge') continue
      const own = readings.get(key)?.value ?? 0
      const values = [...slots.values()].map((slot) => slot.value)
      const value =
        shape.merge === 'same' ? Math.max(own, ...values) : values.reduce((sum, one) => sum + one, own + left)
      const kind = shape.kind === 'gauge' ? 'gauge' : 'counter'
      readings.set(key, { name: shape.name, labels: shape.labels, kind, value })
    }
    return [...readings.values()].sort(byName)
  }
}

/** What a slot has counted is kept without it. */
function leave(family: HistogramFamily, slot: HistogramReading): void {
  family.left = addHistograms(family.left === undefined ? [slot] : [family.left, slot])
}
