import { isIP } from 'node:net'
import type { Endpoint } from '../registry/endpoint.ts'
import { type Labels, labelsMatch } from '../registry/labels.ts'

/** Endpoints: `load-assignment.ts` makes the message for a cluster from those that belong to it. */
export { loadAssignment, MTLS_ENDPOINT } from './endpoint/load-assignment.ts'
export { byLocality, type Caller, forCaller } from './endpoint/locality-groups.ts'

export function inSubset(endpoints: readonly Endpoint[], labels: Labels | undefined): readonly Endpoint[] {
  return labels === undefined ? endpoints : endpoints.filter((endpoint) => labelsMatch(labels, endpoint.labels))
}

/** EDS carries addresses only: one host name among them and a proxy refuses the whole cluster. */
export function addressed(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  return endpoints.filter(({ address }) => address.startsWith('/') || isIP(address) !== 0)
}
