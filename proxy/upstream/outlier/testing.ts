import { ManualClock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import { silentLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { type Random, seededRandom } from '../../../lib/random.ts'
import { plainEndpoint } from '../../plan/plain-endpoint.ts'
import type { EndpointPlan } from '../../plan/plan.ts'
import { clusterPlan } from '../../plan/testing.ts'
import { ResponseHead } from '../../stream/message.ts'
import type { HealthFlag } from '../health.ts'
import { Host } from '../host.ts'
import { type HostTable, OwnHostTable } from '../host-table/host-table.ts'
import { OutlierDetector } from './detector.ts'
import type { OutlierEvent } from './event-log.ts'

/** An endpoint at a port of this machine, for tests. */
export function endpointAt(port: number): EndpointPlan {
  return plainEndpoint('127.0.0.1', port)
}

/** A cluster of so many hosts with outlier detection, whose time stands still until it is told to pass. */
export class OutlierFixture {
  readonly clock = new ManualClock()
  readonly metrics = new MetricStore()
  readonly events: OutlierEvent[] = []
  readonly hosts: Host[]
  readonly detector: OutlierDetector
  readonly table: HostTable
  readonly #head = new ResponseHead()

  /** `outlier` is an OutlierDetection in JSON. */
  constructor(hosts: number, outlier: object, options: { random?: Random; table?: HostTable } = {}) {
    const { clock, metrics, events } = this
    this.table = options.table ?? new OwnHostTable(clock)
    this.hosts = Array.from({ length: hosts }, (_, i) => new Host(endpointAt(1000 + i)))
    for (const host of this.hosts) host.record = this.table.claim('c', host.key, 0)
    const info = (_message: string, event?: object) => void events.push(event as OutlierEvent)
    const log: Logger = { ...silentLogger, info }
    const cluster = {
      name: 'c',
      hosts: this.hosts,
      setFoundFlag: (host: Host, flag: HealthFlag, isSet: boolean) => {
        host.record?.setFlag(flag, isSet)
        host.setHealthFlag(flag, isSet)
      },
    }
    const plan = clusterPlan({ outlierDetection: outlier }).outlier
    if (plan === undefined) throw new Error('no outlier detection')
    const random = options.random ?? seededRandom(1)
    this.detector = new OutlierDetector(plan, cluster, { clock, metrics, log, random, table: this.table })
  }

  host(i: number): Host {
    return this.hosts[i] as Host
  }

  /** So many answers of this status. */
  answer(i: number, status: number, times = 1): void {
    this.#head.clear()
    this.#head.status = status
    for (let n = 0; n < times; n++) this.detector.onResponse(this.host(i), this.#head)
  }

  get ejected(): number[] {
    return this.hosts.flatMap((host, i) => (host.health === 'unhealthy' ? [i] : []))
  }

  /** Counters and gauges that are not 0, without their common beginning. */
  get stats(): Record<string, number> {
    const found = this.metrics.all().filter(({ value }) => value !== 0)
    return Object.fromEntries(found.map(({ name, value }) => [name.replace('cluster.outlier_detection.', ''), value]))
  }
}
