import { parseClusterName } from '../../../api/names.ts'
import type { MetricStore } from '../../../lib/metrics/store.ts'

/** Counters of clusters by name (without `cluster.`), summed over all proxies that call a service. */
export type Counters = ReadonlyMap<string, number>

const PREFIX = 'cluster.'

/** Reads what the proxies count of the services that they call. */
export class CounterSamples {
  readonly #stores: readonly MetricStore[]
  /** Host of a cluster's name -> service of the scenario. */
  readonly #services: ReadonlyMap<string, string>
  readonly #serviceOfCluster = new Map<string, string>()
  readonly #samples: ReadonlyMap<string, Counters>[] = []

  constructor(stores: readonly MetricStore[], services: ReadonlyMap<string, string>) {
    this.#stores = stores
    this.#services = services
  }

  take(): void {
    const sums = new Map<string, Map<string, number>>()
    for (const store of this.#stores) {
      for (const { name, labels, kind, value } of store.all()) {
        if (kind !== 'counter' || value === 0 || !name.startsWith(PREFIX)) continue
        const service = this.#serviceOf(labels.cluster_name ?? '')
        if (service === '') continue
        let counters = sums.get(service)
        if (counters === undefined) {
          counters = new Map()
          sums.set(service, counters)
        }
        const counter = name.slice(PREFIX.length)
        counters.set(counter, (counters.get(counter) ?? 0) + value)
      }
    }
    this.#samples.push(sums)
  }

  /** What these counters together have counted between two samples; `from` -1 for the beginning. */
  sum(service: string, from: number, to: number, counters: readonly string[]): number {
    let sum = 0
    for (const counter of counters) sum += this.#at(service, to, counter) - this.#at(service, from, counter)
    return sum
  }

  /** All that the last sample has of a service, by name. */
  last(service: string): Counters {
    const counters = this.#samples.at(-1)?.get(service) ?? new Map<string, number>()
    return new Map([...counters].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  #at(service: string, sample: number, counter: string): number {
    return this.#samples[sample]?.get(service)?.get(counter) ?? 0
  }

  #serviceOf(cluster: string): string {
    let service = this.#serviceOfCluster.get(cluster)
    if (service === undefined) {
      service = this.#services.get(parseClusterName(cluster)?.host ?? '') ?? ''
      this.#serviceOfCluster.set(cluster, service)
    }
    return service
  }
}
