import type { Origin } from '../../api/origin.ts'
import type { Labels } from './labels.ts'
import type { Protocol } from './protocol.ts'
import type { Visibility } from './visibility.ts'

/**
 * How a service's name becomes addresses, by the names of Istio's model:
 * ClientSideLB knows the endpoints, DNSLB resolves and balances over all addresses, DNSRoundRobinLB uses the first
 * address for each new connection, Passthrough sends to wherever the client was going.
 */
export type Resolution = 'ClientSideLB' | 'DNSLB' | 'DNSRoundRobinLB' | 'Passthrough'

export interface ServicePort {
  readonly number: number
  readonly name: string
  readonly protocol: Protocol
  /** Where the workload listens: a number, or the name of a container's port. */
  readonly targetPort: number | string
}

/**
 * One host that can be called, from a Kubernetes Service or a ServiceEntry, without its endpoints: those change far
 * more often. Plain data; the same content is the same object in successive generations.
 */
export interface Service {
  /** Unique: `<registry>/<namespace>/<object>/<host>`. */
  readonly key: string
  readonly registry: 'Kubernetes' | 'External'
  readonly host: string
  readonly name: string
  readonly namespace: string
  readonly resolution: Resolution
  readonly meshExternal: boolean
  readonly headless: boolean
  readonly ports: readonly ServicePort[]
  /** Virtual IP addresses or, of a ServiceEntry, CIDR prefixes. */
  readonly addresses: readonly string[]
  /** Labels of the workloads behind it; undefined when the endpoints are given in another way. */
  readonly selector: Labels | undefined
  readonly exportTo: Visibility
  readonly labels: Labels
  readonly origin: Origin
  /** Further ServiceEntries of the same host whose ports and endpoints were merged into this one. */
  readonly mergedKeys: readonly string[]
}

export function portOf(service: Service, number: number): ServicePort | undefined {
  return service.ports.find((port) => port.number === number)
}
