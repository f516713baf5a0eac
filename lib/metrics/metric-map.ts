import type { MetricLabels } from './store.ts'

/** All that have one name, by the text of their labels. */
interface Named<T> {
  readonly name: string
  readonly values: Map<string, T>
}

/** A value for each name and labels. Thousands have one name: it is held once, and so are labels that several names share. */
export class MetricMap<T> {
  readonly #names = new Map<string, Named<T>>()
  /** Metrics are made in groups that have their labels in common. */
  #lastLabels: MetricLabels = {}
  #lastKey = '{}'

  get(name: string, labels: MetricLabels): T | undefined {
    return this.#names.get(name)?.values.get(this.#keyOf(labels))
  }

  /** `make` is given the name as it is held, for the value to refer to. */
  getOrMake(name: string, labels: MetricLabels, make: (name: string) => T): T {
    const named = this.#named(name)
    const key = this.#keyOf(labels)
    const found = named.values.get(key)
    if (found !== undefined) return found
    const made = make(named.name)
    named.values.set(key, made)
    return made
  }

  set(name: string, labels: MetricLabels, value: T): void {
    this.#named(name).values.set(this.#keyOf(labels), value)
  }

  delete(name: string, labels: MetricLabels): void {
    const named = this.#names.get(name)
    named?.values.delete(this.#keyOf(labels))
    if (named?.values.size === 0) this.#names.delete(name)
  }

  /** By name; those of one name in the order in which they came. */
  *values(): Generator<T> {
    const names = [...this.#names.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const { values } of names) yield* values.values()
  }

  #named(name: string): Named<T> {
    let named = this.#names.get(name)
    if (named === undefined) {
      named = { name, values: new Map() }
      this.#names.set(name, named)
    }
    return named
  }

  #keyOf(labels: MetricLabels): string {
    if (labels !== this.#lastLabels) {
      this.#lastLabels = labels
      this.#lastKey = JSON.stringify(labels)
    }
    return this.#lastKey
  }
}
