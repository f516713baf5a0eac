import type { Clock, Timer } from '../../../lib/clock.ts'
import type { MetricStore } from '../../../lib/metrics/store.ts'
import type { OutlierPlan } from '../../plan/outlier-plan.ts'
import type { ResponseHead } from '../../stream/message.ts'
import type { Host } from '../host.ts'
import { FIELD, type HostRecord } from '../host-table/host-record.ts'
import type { HostOutcomes, LocalFailure } from '../outcomes.ts'
import {
  type ConsecutiveDetector,
  consecutive5xx,
  consecutiveGatewayFailure,
  consecutiveLocalOriginFailure,
} from './consecutive.ts'
import { type EjectingCluster, Ejection, type EjectionContext } from './ejection.ts'
import { statusOf } from './response-status.ts'
import { type OutlierStats, outlierStats } from './stats.ts'
import { type RateThresholds, sweep } from './sweep.ts'

export interface OutlierContext extends EjectionContext {
  readonly clock: Clock
  readonly metrics: MetricStore
}

/** What failures to reach a host, and of silence, count as where they are not told from its answers. */
const CONNECT_FAILED_STATUS = 503
const TIMEOUT_STATUS = 504

/**
 * Outlier detection of one cluster (envoy.config.cluster.v3.OutlierDetection): answers and failures are counted as they
 * come, and consecutive failures eject a host at once; rates are looked at once an interval.
 */
export class OutlierDetector implements HostOutcomes {
  readonly ejection: Ejection
  readonly stats: OutlierStats
  readonly #cluster: EjectingCluster
  readonly #context: OutlierContext
  #plan: OutlierPlan
  #any5xx: ConsecutiveDetector
  #gateway: ConsecutiveDetector
  #localOrigin: ConsecutiveDetector
  #thresholds: RateThresholds = { external: undefined, localOrigin: undefined }
  #timer: Timer | undefined

  constructor(plan: OutlierPlan, cluster: EjectingCluster, context: OutlierContext) {
    this.#cluster = cluster
    this.#context = context
    this.stats = outlierStats(context.metrics, cluster.name)
    this.ejection = new Ejection(plan, cluster, context, this.stats)
    this.#plan = plan
    this.#any5xx = consecutive5xx(plan)
    this.#gateway = consecutiveGatewayFailure(plan)
    this.#localOrigin = consecutiveLocalOriginFailure(plan)
    this.#arm()
  }

  get plan(): OutlierPlan {
    return this.#plan
  }

  /** Of the last interval that this thread looked at. */
  get thresholds(): RateThresholds {
    return this.#thresholds
  }

  setPlan(plan: OutlierPlan): void {
    if (plan === this.#plan) return
    const changesInterval = plan.intervalMs !== this.#plan.intervalMs
    this.#plan = plan
    this.ejection.plan = plan
    this.#any5xx = consecutive5xx(plan)
    this.#gateway = consecutiveGatewayFailure(plan)
    this.#localOrigin = consecutiveLocalOriginFailure(plan)
    if (changesInterval) this.#arm()
  }

  // === HostOutcomes ===

  onResponse(host: Host, head: ResponseHead): void {
    const { record } = host
    if (record !== undefined) this.#onStatus(host, record, statusOf(head))
  }

  onConnected(host: Host): void {
    const { record } = host
    if (record === undefined || !this.#plan.splitExternalLocalOriginErrors) return
    record.increment(FIELD.localTotal)
    record.increment(FIELD.localSuccesses)
    record.reset(FIELD.consecutiveLocalOriginFailure)
  }

  /** A connection whose protocol is none of ours: that it came about is all that can be told. */
  onOpaqueConnected(host: Host): void {
    const { record } = host
    if (record === undefined) return
    if (this.#plan.splitExternalLocalOriginErrors) this.onConnected(host)
    else this.#onStatus(host, record, 200)
  }

  onLocalFailure(host: Host, failure: LocalFailure): void {
    const { record } = host
    // What the breakers refuse, and what was not sent anywhere, says nothing about the host.
    const isItsOwn = failure !== 'overflow' && failure !== 'no_healthy_upstream' && failure !== 'internal_error'
    if (record === undefined || !isItsOwn) return
    if (this.#plan.splitExternalLocalOriginErrors) {
      record.increment(FIELD.localTotal)
      this.#count(host, record, this.#localOrigin)
    } else this.#onStatus(host, record, failure === 'timeout' ? TIMEOUT_STATUS : CONNECT_FAILED_STATUS)
  }

  #onStatus(host: Host, record: HostRecord, status: number): void {
    record.increment(FIELD.total)
    if (status < 500 || status > 599) {
      record.increment(FIELD.successes)
      record.reset(FIELD.consecutive5xx)
      record.reset(FIELD.consecutiveGatewayFailure)
      return
    }
    if (status >= 502 && status <= 504) this.#count(host, record, this.#gateway)
    else record.reset(FIELD.consecutiveGatewayFailure)
    this.#count(host, record, this.#any5xx)
  }

  /** One failure more. Of a host that is ejected the count goes on, past the threshold. */
  #count(host: Host, record: HostRecord, { field, threshold, type }: ConsecutiveDetector): void {
    if (record.increment(field) !== threshold) return
    if (this.ejection.isEjected(record)) return
    if (type === 'consecutive_5xx') this.stats.ejections_consecutive_5xx.inc()
    this.ejection.eject(host, record, type)
    record.reset(field)
  }

  // === once an interval ===

  #arm(): void {
    this.#timer?.cancel()
    this.#timer = this.#context.clock.setTimer(this.#plan.intervalMs, () => {
      if (this.#context.table.isLeader) this.sweep()
      this.#arm()
    })
  }

  sweep(): void {
    this.#thresholds = sweep(this.#cluster.hosts, this.#plan, this.ejection, this.stats)
  }

  /** `takesBack`: hosts that were ejected are no longer. */
  close(takesBack: boolean): void {
    this.#timer?.cancel()
    this.stats.ejections_active.set(0)
    if (!takesBack) return
    for (const host of this.#cluster.hosts) {
      if (host.record !== undefined) this.ejection.uneject(host, host.record)
    }
  }
}
