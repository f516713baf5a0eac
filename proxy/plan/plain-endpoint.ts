import { DEFAULT_ENDPOINT_POLICY, type EndpointPlan } from './plan.ts'

/** An endpoint about which nothing is told but its address. */
export function plainEndpoint(address: string, port: number): EndpointPlan {
  return {
    address,
    port,
    unixPath: '',
    hostname: '',
    weight: 1,
    priority: 0,
    locality: '',
    localityWeight: 0,
    policy: DEFAULT_ENDPOINT_POLICY,
    healthy: true,
    degraded: false,
    draining: false,
    subsetMetadata: [],
    socketMetadata: undefined,
    hashKey: '',
  }
}
