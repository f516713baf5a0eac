import { addHistograms, Histogram, type HistogramReading } from './histogram.ts'
import { MetricMap } from './metric-map.ts'
import { Metric, type MetricReading, type MetricSource, type SharedMetric } from './store.ts'

interface Family extends Omit<SharedMetric, 'page' | 'index' | 'bounds'> {
  /** By thread. */
  readonly slots: (Metric | undefined)[]
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
  readonly #families = new MetricMap<Family>()
  readonly #histograms = new MetricMap<HistogramFamily>()

  /** `own` are those of this thread. */
  constructor(own: MetricSource) {
    this.#own = own
  }

  /** A thread has a new slot. */
  add(thread: number, shared: SharedMetric): void {
    const { name, labels, kind, merge } = shared
    if (kind === 'histogram') {
      const family = this.#histograms.getOrMake(name, labels, () => ({ slots: new Map(), left: undefined }))
      family.slots.set(thread, new Histogram(shared))
      return
    }
    const make = (held: string): Family => ({ name: held, labels, kind, merge, slots: [], left: 0 })
    const family = this.#families.getOrMake(name, labels, make)
    family.slots[thread] = new Metric({ ...shared, name: family.name, labels: family.labels })
  }

  /** A thread has ended: what it counted stays, its gauges are over. */
  drop(thread: number): void {
    for (const family of this.#families.values()) leaveSlot(family, thread)
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
    const histograms = this.#histograms.get(name, labels)
    if (kind === 'histogram' && histograms !== undefined) {
      const slot = histograms.slots.get(thread)
      if (slot !== undefined) leave(histograms, slot)
      histograms.slots.delete(thread)
      if (histograms.slots.size === 0) this.#histograms.delete(name, labels)
    }
    const family = this.#families.get(name, labels)
    if (kind === 'histogram' || family === undefined) return
    leaveSlot(family, thread)
    if (family.slots.every((slot) => slot === undefined)) this.#families.delete(name, labels)
  }

  histograms(): HistogramReading[] {
    const all = new MetricMap<HistogramReading>()
    for (const reading of this.#own.histograms()) all.set(reading.name, reading.labels, reading)
    for (const { slots, left } of this.#histograms.values()) {
      const [first, ...others] = [left, ...slots.values()].filter((part) => part !== undefined)
      if (first === undefined) continue
      const own = all.get(first.name, first.labels)
      all.set(first.name, first.labels, addHistograms(own === undefined ? [first, ...others] : [own, first, ...others]))
    }
    return [...all.values()]
  }

  all(): MetricReading[] {
    const all = new MetricMap<MetricReading>()
    for (const metric of this.#own.all()) all.set(metric.name, metric.labels, metric)
    for (const family of this.#families.values()) {
      const { name, labels, left } = family
      const kind = family.kind === 'gauge' ? 'gauge' : 'counter'
      const values = family.slots.flatMap((slot) => slot?.value ?? [])
      if (values.length === 0 && kind === 'gauge') continue
      const own = all.get(name, labels)?.value ?? 0
      const value =
        family.merge === 'same' ? Math.max(own, ...values) : values.reduce((sum, one) => sum + one, own + left)
      all.set(name, labels, { name, labels, kind, value })
    }
    return [...all.values()]
  }
}

/** A counter's number stays without it; a gauge is over. */
function leaveSlot(family: Family, thread: number): void {
  const slot = family.slots[thread]
  if (slot?.kind === 'counter') family.left += slot.value
  family.slots[thread] = undefined
}

/** What a slot has counted is kept without it. */
function leave(family: HistogramFamily, slot: HistogramReading): void {
  family.left = addHistograms(family.left === undefined ? [slot] : [family.left, slot])
}
