/** Slots are kept in pages of this many, so that growing never moves a slot that someone holds. */
const PAGE_SLOTS = 1024

export type MetricLabels = Readonly<Record<string, string>>

/** A counter or gauge: one slot of a typed array. Counting is one addition, whatever its name and labels. */
export class Metric {
  readonly name: string
  readonly labels: MetricLabels
  readonly kind: 'counter' | 'gauge'
  readonly #page: Float64Array
  readonly #index: number

  constructor(name: string, labels: MetricLabels, kind: 'counter' | 'gauge', page: Float64Array, index: number) {
    this.name = name
    this.labels = labels
    this.kind = kind
    this.#page = page
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

/** All metrics of one process, by name and labels. Names are looked up when configuration changes, never per request. */
export class MetricStore {
  readonly #byKey = new Map<string, Metric>()
  #page = new Float64Array(new SharedArrayBuffer(PAGE_SLOTS * 8))
  #used = 0

  counter(name: string, labels: MetricLabels = {}): Metric {
    return this.#metric(name, labels, 'counter')
  }

  gauge(name: string, labels: MetricLabels = {}): Metric {
    return this.#metric(name, labels, 'gauge')
  }

  /** Every metric, sorted by name, for exposition. */
  all(): Metric[] {
    return [...this.#byKey.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  }

  #metric(name: string, labels: MetricLabels, kind: 'counter' | 'gauge'): Metric {
    const key = `${name}${JSON.stringify(labels)}`
    const found = this.#byKey.get(key)
    if (found !== undefined) return found
    if (this.#used === PAGE_SLOTS) {
      this.#page = new Float64Array(new SharedArrayBuffer(PAGE_SLOTS * 8))
      this.#used = 0
    }
    const metric = new Metric(name, labels, kind, this.#page, this.#used++)
    this.#byKey.set(key, metric)
    return metric
  }
}
