import type { Clock } from '../../lib/clock.ts'
import { type Logger, silentLogger } from '../../lib/log.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import type { Random } from '../../lib/random.ts'
import type { ClusterPlan } from '../plan/plan.ts'
import { FOUND_FLAGS, HEALTH_FLAG, type HealthFlag, healthOf } from './health.ts'
import { CheckedOutcomes } from './health-check/checked-outcomes.ts'
import type { HealthChecker } from './health-check/checker.ts'
import { createHealthChecker, type HealthCheckedCluster } from './health-check/create.ts'
import type { Host } from './host.ts'
import { FIELD } from './host-table/host-record.ts'
import { type HostTable, OwnHostTable } from './host-table/host-table.ts'
import { type HostOutcomes, NO_OUTCOMES } from './outcomes.ts'
import { OutlierDetector } from './outlier/detector.ts'

export interface ClusterHealthContext {
  readonly clock: Clock
  readonly random: Random
  readonly metrics: MetricStore
  /** Without one, hosts are known to this thread only. */
  readonly hosts?: HostTable
  readonly log?: Logger
}

const CHECK_FLAGS = [
  HEALTH_FLAG.failedActiveCheck,
  HEALTH_FLAG.degradedActiveCheck,
  HEALTH_FLAG.immediateFailure,
  HEALTH_FLAG.activeCheckTimeout,
] as const

/** What is found out about the hosts of one cluster: by how their answers are, and by asking them. */
export class ClusterHealth {
  readonly #cluster: HealthCheckedCluster
  readonly #context: Required<ClusterHealthContext>
  readonly #onOutcomes: (outcomes: HostOutcomes) => void
  readonly #onExpired: (host: Host) => void
  outliers: OutlierDetector | undefined
  checker: HealthChecker | undefined
  #seen = -1

  /** `onOutcomes` hears who is to be told how tries end; `onExpired` of a host that was kept only while it was well. */
  constructor(
    cluster: HealthCheckedCluster,
    context: ClusterHealthContext,
    onOutcomes: (outcomes: HostOutcomes) => void,
    onExpired: (host: Host) => void,
  ) {
    this.#cluster = cluster
    const { clock, random, metrics } = context
    const hosts = context.hosts ?? new OwnHostTable(clock)
    this.#context = { clock, random, metrics, hosts, log: context.log ?? silentLogger }
    this.#onOutcomes = onOutcomes
    this.#onExpired = onExpired
    this.setPlan(cluster.plan, undefined)
  }

  get #around() {
    return { ...this.#context, table: this.#context.hosts }
  }

  /** The address of an ORIGINAL_DST cluster's host is the client's choice: nothing that is found out would change it. */
  setPlan(plan: ClusterPlan, before: ClusterPlan | undefined): void {
    const outlier = plan.discovery === 'original_dst' ? undefined : plan.outlier
    const check = plan.discovery === 'original_dst' ? undefined : plan.healthCheck
    const changesCheck = check?.key !== before?.healthCheck?.key
    if (changesCheck) {
      this.checker?.close()
      this.checker = check && createHealthChecker(check, this, this.#cluster, this.#around)
    }
    if (outlier === undefined) {
      this.outliers?.close(true)
      this.outliers = undefined
    } else if (this.outliers === undefined) {
      this.outliers = new OutlierDetector(outlier, this.#eject, this.#around)
    } else this.outliers.setPlan(outlier)
    for (const host of this.#cluster.hosts) this.#follow(host, false)
    // What others found out about hosts that are followed from now on.
    this.#seen = -1
    if (changesCheck) for (const host of this.#cluster.hosts) this.#recheck(host)
    this.count()
    this.#onOutcomes(this.#outcomes())
  }

  #outcomes(): HostOutcomes {
    const { checker, outliers } = this
    return checker === undefined ? (outliers ?? NO_OUTCOMES) : new CheckedOutcomes(checker, outliers ?? NO_OUTCOMES)
  }

  readonly #eject = this.#ejectingCluster()

  #ejectingCluster() {
    const health = this
    return {
      get name() {
        return health.#cluster.plan.name
      },
      get hosts() {
        return health.#cluster.hosts
      },
      setFoundFlag: (host: Host, flag: HealthFlag, isSet: boolean) => health.setFoundFlag(host, flag, isSet),
    }
  }

  /** The cluster is checked in another way, for the first time, or no longer. */
  #recheck(host: Host): void {
    if (this.checker?.isFor(host)) this.checker.add(host, false)
    else for (const flag of CHECK_FLAGS) if ((host.healthFlags & flag) !== 0) this.setFoundFlag(host, flag, false)
  }

  // === hosts come and go ===

  /** A host that is checked is unhealthy until its first check succeeds. */
  add(host: Host): void {
    this.#follow(host, true)
    this.checker?.add(host, true)
  }

  #follow(host: Host, isNew: boolean): void {
    const { hosts } = this.#context
    const isNeeded = hosts.isShared || this.outliers !== undefined || this.checker !== undefined
    if (host.record !== undefined || !isNeeded || this.#cluster.plan.discovery === 'original_dst') return
    const flags = isNew && this.checker?.isFor(host) ? HEALTH_FLAG.failedActiveCheck : 0
    host.record = hosts.claim(this.#cluster.plan.name, host.key, flags)
    if (isNew) host.healthFlags |= host.record.get(FIELD.flags)
  }

  remove(host: Host): void {
    this.checker?.remove(host)
    const { record } = host
    host.record = undefined
    if (record !== undefined) this.#context.hosts.release(record)
  }

  /** Hosts have come and gone. */
  count(): void {
    this.checker?.countHealthy()
    this.outliers?.ejection.countActive()
  }

  /** Whether a host that is no longer told of is kept because its checks succeed. */
  keeps(host: Host): boolean {
    if (this.checker === undefined || this.#cluster.plan.ignoresHealthOnHostRemoval) return false
    return this.checker.isFor(host) && (host.healthFlags & HEALTH_FLAG.failedActiveCheck) === 0
  }

  // === what is found out ===

  /** In all threads. */
  setFoundFlag(host: Host, flag: HealthFlag, isSet: boolean): void {
    host.record?.setFlag(flag, isSet)
    this.#context.hosts.announce()
    this.#apply(host, flag, isSet)
  }

  #apply(host: Host, flag: HealthFlag, isSet: boolean): void {
    const wasWell = healthOf(host.healthFlags) !== 'unhealthy'
    this.#cluster.setHealthFlag(host, flag, isSet)
    const isWell = healthOf(host.healthFlags) !== 'unhealthy'
    if (!wasWell || isWell) return
    if (this.#cluster.plan.closesOnHealthFailure) host.drain()
    const isExpired = (host.healthFlags & HEALTH_FLAG.pendingRemoval) !== 0
    if (isExpired && flag === HEALTH_FLAG.failedActiveCheck) this.#onExpired(host)
  }

  /** A good check may end an ejection. */
  onHealthyCheck(host: Host): void {
    const { record } = host
    const { outliers } = this
    if (record === undefined || outliers?.plan.successfulActiveHealthCheckUnejectHost !== true) return
    outliers.ejection.uneject(host, record)
  }

  /** Takes over what other threads have found out. */
  poll(): void {
    const { generation } = this.#context.hosts
    if (generation === this.#seen) return
    this.#seen = generation
    for (const host of this.#cluster.hosts) {
      const { record } = host
      if (record === undefined || record.active === undefined) continue
      const flags = record.get(FIELD.flags)
      for (const flag of FOUND_FLAGS) {
        const isSet = (flags & flag) !== 0
        if (((host.healthFlags & flag) !== 0) !== isSet) this.#apply(host, flag, isSet)
      }
    }
    this.count()
  }

  /** This thread has begun to do what one does for all, or no longer does. */
  lead(): void {
    this.checker?.lead()
  }

  close(): void {
    this.outliers?.close(false)
    this.checker?.close()
    for (const host of this.#cluster.hosts) this.remove(host)
  }
}
