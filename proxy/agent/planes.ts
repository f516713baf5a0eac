import type { MetricSource } from '../../lib/metrics/store.ts'
import type { DataPlane, ListenerFailure } from '../data-plane.ts'
import type { CircuitBreakerPlan, EndpointPlan, Plan } from '../plan/plan.ts'
import type { Host } from '../upstream/host.ts'
import { FIELD, type Field, FRACTION } from '../upstream/host-table/host-record.ts'
import type { RateThresholds } from '../upstream/outlier/sweep.ts'
import type { RelayedResources } from '../xds/resource-set.ts'

/** One endpoint as it runs, over all threads. */
export interface HostStatus {
  readonly key: string
  readonly endpoint: EndpointPlan
  readonly connections: number
  readonly activeRequests: number
  readonly totalRequests: number
  /** Bits of HEALTH_FLAG. */
  readonly healthFlags: number
  /** Per cent of good answers in the interval before; -1 where too few to tell, or nobody looks. */
  readonly successRate: number
  readonly localOriginSuccessRate: number
}

/** What the success rates of a cluster's hosts are compared with; -1 where there is nothing to compare. */
export interface OutlierStatus {
  readonly average: number
  readonly threshold: number
  readonly localOriginAverage: number
  readonly localOriginThreshold: number
}

export interface ClusterStatus {
  readonly name: string
  readonly limits: CircuitBreakerPlan
  readonly resourceVersion: string
  readonly hosts: readonly HostStatus[]
  /** Absent without outlier detection. */
  readonly outlier: OutlierStatus | undefined
}

export interface ListenerStatus {
  readonly name: string
  readonly address: string
  readonly port: number
}

/** What an agent drives: the data plane of its own thread, or one in each worker. */
export interface Planes {
  readonly metrics: MetricSource
  readonly isDraining: boolean
  /** Everything that was handed over is in force. */
  readonly isSettled: boolean
  readonly connectionCount: number
  /** Takes the plan of this thread. Resolves when new listeners listen; says which could not. */
  setPlan(plan: Plan): Promise<readonly ListenerFailure[]>
  /** Hands accepted resources to threads that make plans of their own. */
  relay(resources: RelayedResources): void
  /** All metrics are read out: what has not changed since may go when it is idle. */
  noteScrape(): void
  /** Access logs go to new files where theirs were moved away. */
  reopenLogs(): void
  clusters(): Promise<readonly ClusterStatus[]>
  listeners(): readonly ListenerStatus[]
  /** Stops accepting, lets requests finish; resolves when no connection is left or the deadline has passed. */
  drain(deadlineMs: number): Promise<void>
  /** Cuts what is left. Resolves when what is held of logs and spans has left, as far as it can in a short while. */
  close(): Promise<void>
}

/** The data plane of this thread. */
export class LocalPlane implements Planes {
  readonly plane: DataPlane
  readonly isSettled = true

  constructor(plane: DataPlane) {
    this.plane = plane
  }

  get metrics(): MetricSource {
    return this.plane.metrics
  }

  get isDraining(): boolean {
    return this.plane.isDraining
  }

  get connectionCount(): number {
    return this.plane.connectionCount
  }

  setPlan(plan: Plan): Promise<readonly ListenerFailure[]> {
    return this.plane.setPlan(plan)
  }

  relay(): void {}

  noteScrape(): void {
    this.plane.metrics.scrapes++
  }

  reopenLogs(): void {
    this.plane.telemetry.reopenLogs()
  }

  async clusters(): Promise<readonly ClusterStatus[]> {
    return clusterStatuses(this.plane)
  }

  listeners(): readonly ListenerStatus[] {
    return [...this.plane.listeners.values()].map(({ plan, port }) => ({
      name: plan.name,
      address: plan.address,
      port,
    }))
  }

  drain(deadlineMs: number): Promise<void> {
    return this.plane.drain(deadlineMs)
  }

  close(): Promise<void> {
    return this.plane.end()
  }
}

export function clusterStatuses(plane: DataPlane): ClusterStatus[] {
  return [...plane.clusters.values()].map(({ plan, hosts, health }) => ({
    name: plan.name,
    limits: plan.limits,
    resourceVersion: plan.resourceVersion,
    outlier: health.outliers && outlierStatus(health.outliers.thresholds),
    hosts: [...hosts].map((host) => ({
      key: host.key,
      endpoint: host.plan,
      connections: host.connectionCount,
      activeRequests: host.ownActiveRequests,
      totalRequests: host.totalRequests,
      healthFlags: host.healthFlags,
      successRate: rateOf(host, FIELD.successRate),
      localOriginSuccessRate: rateOf(host, FIELD.localSuccessRate),
    })),
  }))
}

function rateOf({ record }: Host, field: Field): number {
  return record === undefined ? -1 : record.get(field) / FRACTION
}

function outlierStatus({ external, localOrigin }: RateThresholds): OutlierStatus {
  return {
    average: external?.average ?? -1,
    threshold: external?.threshold ?? -1,
    localOriginAverage: localOrigin?.average ?? -1,
    localOriginThreshold: localOrigin?.threshold ?? -1,
  }
}

/** Only the thread that looks at rates knows of thresholds. */
function mergedOutlier(a: OutlierStatus | undefined, b: OutlierStatus | undefined): OutlierStatus | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return {
    average: Math.max(a.average, b.average),
    threshold: Math.max(a.threshold, b.threshold),
    localOriginAverage: Math.max(a.localOriginAverage, b.localOriginAverage),
    localOriginThreshold: Math.max(a.localOriginThreshold, b.localOriginThreshold),
  }
}

/** The same clusters as several threads see them, as one list. */
export function mergedStatuses(lists: readonly (readonly ClusterStatus[])[]): ClusterStatus[] {
  const clusters = new Map<string, ClusterStatus>()
  for (const cluster of lists.flat()) {
    const hosts = new Map((clusters.get(cluster.name)?.hosts ?? []).map((host) => [host.key, host]))
    for (const host of cluster.hosts) {
      const known = hosts.get(host.key)
      hosts.set(host.key, {
        ...host,
        connections: host.connections + (known?.connections ?? 0),
        activeRequests: host.activeRequests + (known?.activeRequests ?? 0),
        totalRequests: host.totalRequests + (known?.totalRequests ?? 0),
        healthFlags: host.healthFlags | (known?.healthFlags ?? 0),
      })
    }
    const outlier = mergedOutlier(cluster.outlier, clusters.get(cluster.name)?.outlier)
    clusters.set(cluster.name, { ...cluster, outlier, hosts: [...hosts.values()] })
  }
  return [...clusters.values()]
}
