import type { Logger } from '../../../lib/log.ts'
import type { Random } from '../../../lib/random.ts'
import { randomInt } from '../../../lib/random.ts'
import type { OutlierPlan } from '../../plan/outlier-plan.ts'
import { HEALTH_FLAG, type HealthFlag } from '../health.ts'
import type { Host } from '../host.ts'
import { FIELD, type HostRecord } from '../host-table/host-record.ts'
import type { HostTable } from '../host-table/host-table.ts'
import type { EjectionType } from './ejection-type.ts'
import { logOutlier, type OutlierEvent } from './event-log.ts'
import type { OutlierStats } from './stats.ts'

/** What ejection needs of a cluster. */
export interface EjectingCluster {
  readonly name: string
  readonly hosts: Iterable<Host>
  /** In all threads. */
  setFoundFlag(host: Host, flag: HealthFlag, isSet: boolean): void
}

export interface EjectionContext {
  readonly random: Random
  readonly log: Logger
  readonly table: HostTable
}

const EJECTED = HEALTH_FLAG.failedOutlierCheck

/** Ejects hosts of a cluster and takes them back (Envoy's DetectorImpl::ejectHost and checkHostForUneject). */
export class Ejection {
  plan: OutlierPlan
  readonly #cluster: EjectingCluster
  readonly #context: EjectionContext
  readonly #stats: OutlierStats

  constructor(plan: OutlierPlan, cluster: EjectingCluster, context: EjectionContext, stats: OutlierStats) {
    this.plan = plan
    this.#cluster = cluster
    this.#context = context
    this.#stats = stats
  }

  isEjected(record: HostRecord): boolean {
    return record.hasFlag(EJECTED)
  }

  /**
   * A detector has found this host: it is ejected if the detector's share of enforcement has it so, and if no more hosts than
   * may be are ejected by it. `about` goes to the log.
   */
  eject(host: Host, record: HostRecord, type: EjectionType, about: Partial<OutlierEvent> = {}): void {
    this.#stats.detected[type].inc()
    let outcome: 'ejected' | 'not enforced' | 'overflow' | 'too late' = 'too late'
    // Two threads must not both eject the last host that may be.
    this.#context.table.locked(() => {
      if (!record.hasFlag(EJECTED)) outcome = this.#decide(record, type)
    })
    this.#report(host, record, type, outcome, about)
  }

  #decide(record: HostRecord, type: EjectionType): 'ejected' | 'not enforced' | 'overflow' {
    const { plan } = this
    const { hosts, ejected } = this.#count()
    const isWithin = (100 * (ejected + 1)) / hosts <= plan.maxEjectionPercent
    if (!isWithin && !(plan.alwaysEjectOneHost && ejected === 0)) return 'overflow'
    if (randomInt(this.#context.random, 100) >= plan.enforcing[type]) return 'not enforced'
    this.#note(record)
    return 'ejected'
  }

  #note(record: HostRecord): void {
    const { baseEjectionTimeMs, maxEjectionTimeMs, maxEjectionTimeJitterMs } = this.plan
    record.setFlag(EJECTED, true)
    record.increment(FIELD.ejections)
    record.ejectedMs = this.#context.table.nowMs()
    record.set(FIELD.jitterMs, randomInt(this.#context.random, maxEjectionTimeJitterMs + 1))
    // Once the time is the longest, more would only make the way back longer.
    const backoff = record.get(FIELD.backoff)
    if (backoff * baseEjectionTimeMs < maxEjectionTimeMs + baseEjectionTimeMs) record.set(FIELD.backoff, backoff + 1)
  }

  #report(host: Host, record: HostRecord, type: EjectionType, outcome: string, about: Partial<OutlierEvent>): void {
    const stats = this.#stats
    if (outcome === 'overflow') stats.ejections_overflow.inc()
    if (outcome === 'overflow' || outcome === 'too late') return
    if (type === 'consecutive_5xx' || type === 'success_rate') stats.ejections_total.inc()
    const enforced = outcome === 'ejected'
    const lastMs = record.returnedMs
    if (enforced) {
      stats.ejections_enforced_total.inc()
      stats.enforced[type].inc()
      this.#cluster.setFoundFlag(host, EJECTED, true)
      this.countActive()
    }
    this.#log(host, record, 'eject', lastMs, { type, enforced, ...about })
  }

  /** Once an interval: takes the host back if its time is over; one that was not ejected is trusted more. */
  review(host: Host, record: HostRecord): void {
    if (!record.hasFlag(EJECTED)) {
      const backoff = record.get(FIELD.backoff)
      if (backoff > 0) record.set(FIELD.backoff, backoff - 1)
      return
    }
    const { baseEjectionTimeMs, maxEjectionTimeMs } = this.plan
    const longMs = Math.min(baseEjectionTimeMs * record.get(FIELD.backoff), maxEjectionTimeMs)
    if (this.#context.table.nowMs() - record.ejectedMs >= longMs + record.get(FIELD.jitterMs)) {
      this.uneject(host, record)
    }
  }

  uneject(host: Host, record: HostRecord): void {
    if (!record.hasFlag(EJECTED)) return
    const lastMs = record.ejectedMs
    // A counter near its threshold must not eject it again at once.
    record.reset(FIELD.consecutive5xx)
    record.reset(FIELD.consecutiveGatewayFailure)
    record.reset(FIELD.consecutiveLocalOriginFailure)
    record.returnedMs = this.#context.table.nowMs()
    this.#cluster.setFoundFlag(host, EJECTED, false)
    this.countActive()
    this.#log(host, record, 'uneject', lastMs, {})
  }

  countActive(): void {
    this.#stats.ejections_active.set(this.#count().ejected)
  }

  #count(): { hosts: number; ejected: number } {
    let hosts = 0
    let ejected = 0
    for (const { record } of this.#cluster.hosts) {
      hosts++
      if (record?.hasFlag(EJECTED)) ejected++
    }
    return { hosts, ejected }
  }

  #log(
    host: Host,
    record: HostRecord,
    action: 'eject' | 'uneject',
    lastMs: number,
    about: Partial<OutlierEvent>,
  ): void {
    const sinceMs = this.#context.table.nowMs() - lastMs
    logOutlier(this.#context.log, {
      cluster: this.#cluster.name,
      host: host.key,
      action,
      num_ejections: record.get(FIELD.ejections),
      secs_since_last_action: Number.isNaN(sinceMs) ? -1 : Math.floor(sinceMs / 1000),
      ...about,
    })
  }
}
