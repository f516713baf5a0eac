import type { Labels } from './labels.ts'
import type { ServicePort } from './service.ts'
import type { Workload } from './workload.ts'

/** One address that serves one port of a service. Plain data. */
export interface Endpoint {
  /** IP address, host name (for services resolved by DNS), or absolute path of a Unix socket. */
  readonly address: string
  /** 0 for a Unix socket. */
  readonly port: number
  readonly ready: boolean
  readonly labels: Labels
  readonly namespace: string
  readonly workloadName: string
  readonly serviceAccount: string
  /** `region/zone/subzone`, or ''. */
  readonly locality: string
  readonly weight: number
}

/** By the number of the service's port. */
export type ServiceEndpoints = ReadonlyMap<number, readonly Endpoint[]>

export const NO_ENDPOINTS: ServiceEndpoints = new Map()

const UNIX_SCHEME = 'unix://'

/** The endpoint that a workload is for a port, or undefined when the port's name means nothing to it. */
export function endpointOfWorkload(workload: Workload, address: string, port: ServicePort): Endpoint | undefined {
  const unix = address.startsWith(UNIX_SCHEME)
  const number = unix ? 0 : workloadPort(workload, port)
  if (number === undefined) return undefined
  return {
    address: unix ? address.slice(UNIX_SCHEME.length) : address,
    port: number,
    ready: workload.ready,
    labels: workload.labels,
    namespace: workload.namespace,
    workloadName: workload.workloadName,
    serviceAccount: workload.serviceAccount,
    locality: workload.locality,
    weight: workload.weight,
  }
}

/** Where a workload listens for a service's port. */
export function workloadPort(workload: Workload, port: ServicePort): number | undefined {
  if (workload.kind !== 'WorkloadEntry' || typeof port.targetPort === 'string') {
    if (typeof port.targetPort === 'number') return port.targetPort
    const named = workload.ports[port.targetPort]
    if (named !== undefined) return named
  }
  // A WorkloadEntry's map is keyed by the name of the service's port.
  return workload.ports[port.name] ?? (typeof port.targetPort === 'number' ? port.targetPort : undefined)
}
