import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { Random } from '../../../lib/random.ts'
import type { HealthCheckPlan } from '../../plan/health-check-plan.ts'
import { HEALTH_FLAG, type HealthFlag } from '../health.ts'
import type { Host } from '../host.ts'
import type { HostTable } from '../host-table/host-table.ts'
import type { Probe, ProbeOwner } from './probe.ts'
import { CheckSession, type HealthEvent, type SessionOwner } from './session.ts'
import type { HealthCheckStats } from './stats.ts'

/** What a checker needs of its cluster. */
export interface CheckedHosts {
  readonly name: string
  readonly hosts: Iterable<Host>
  readonly hasTraffic: boolean
  setFoundFlag(host: Host, flag: HealthFlag, isSet: boolean): void
  /** A check went well, and the host has not failed the checks. */
  onHealthyCheck(host: Host): void
}

export interface CheckerContext {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly table: HostTable
}

/** Checks the hosts of one cluster; beside other threads only while this one leads (envoy.config.core.v3.HealthCheck). */
export class HealthChecker implements SessionOwner {
  readonly plan: HealthCheckPlan
  readonly stats: HealthCheckStats
  readonly #cluster: CheckedHosts
  readonly #context: CheckerContext
  readonly #createProbe: (host: Host, owner: ProbeOwner) => Probe
  readonly #sessions = new Map<Host, CheckSession>()

  constructor(
    plan: HealthCheckPlan,
    cluster: CheckedHosts,
    context: CheckerContext,
    stats: HealthCheckStats,
    createProbe: (host: Host, owner: ProbeOwner) => Probe,
  ) {
    this.plan = plan
    this.#cluster = cluster
    this.#context = context
    this.stats = stats
    this.#createProbe = createProbe
  }

  get hasTraffic(): boolean {
    return this.#cluster.hasTraffic
  }

  isFor(host: Host): boolean {
    return host.plan.healthCheck?.isDisabled !== true
  }

  /** A host that came just now is unhealthy until it is checked; one that was there before keeps its health. */
  add(host: Host, isNew: boolean): void {
    if (this.#context.table.isLeader && this.isFor(host)) this.#start(host, !isNew)
  }

  #start(host: Host, isKnown: boolean): void {
    if (this.#sessions.has(host)) return
    const { clock, random } = this.#context
    const session = new CheckSession(host, this, clock, random, (owner) => this.#createProbe(host, owner))
    this.#sessions.set(host, session)
    session.start(isKnown)
  }

  remove(host: Host): void {
    this.#sessions.get(host)?.close()
    this.#sessions.delete(host)
  }

  /** Begins or ends checking, by whether this thread leads. */
  lead(): void {
    if (!this.#context.table.isLeader) this.#stop()
    else for (const host of this.#cluster.hosts) if (this.isFor(host)) this.#start(host, true)
  }

  /** An answer to a request of somebody else says that the host fails. */
  onImmediateFailure(host: Host): void {
    if ((host.healthFlags & HEALTH_FLAG.immediateFailure) !== 0 || !this.isFor(host)) return
    this.setFlag(host, HEALTH_FLAG.immediateFailure, true)
    const session = this.#sessions.get(host)
    if (session !== undefined) session.setUnhealthy('passive', false)
    else {
      // The thread that checks it sees the flag.
      this.stats.failure.inc()
      this.stats.passive_failure.inc()
      this.setFlag(host, HEALTH_FLAG.failedActiveCheck, true)
    }
  }

  // === SessionOwner ===

  setFlag(host: Host, flag: HealthFlag, isSet: boolean): void {
    if (((host.healthFlags & flag) !== 0) === isSet) return
    this.#cluster.setFoundFlag(host, flag, isSet)
    this.countHealthy()
  }

  onChecked(host: Host, isHealthy: boolean): void {
    if (isHealthy && (host.healthFlags & HEALTH_FLAG.failedActiveCheck) === 0) this.#cluster.onHealthyCheck(host)
  }

  onEvent(host: Host, event: HealthEvent): void {
    this.#context.log.info('health check', { cluster: this.#cluster.name, host: host.key, ...event })
  }

  countHealthy(): void {
    let healthy = 0
    let degraded = 0
    for (const host of this.#cluster.hosts) {
      if (!this.isFor(host)) continue
      if ((host.healthFlags & HEALTH_FLAG.failedActiveCheck) === 0) healthy++
      if ((host.healthFlags & HEALTH_FLAG.degradedActiveCheck) !== 0) degraded++
    }
    this.stats.healthy.set(healthy)
    this.stats.degraded.set(degraded)
  }

  #stop(): void {
    for (const session of this.#sessions.values()) session.close()
    this.#sessions.clear()
  }

  /** What the checks found is no longer known. */
  close(): void {
    this.#stop()
    this.stats.healthy.set(0)
    this.stats.degraded.set(0)
  }
}
