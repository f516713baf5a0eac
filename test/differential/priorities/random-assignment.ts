import { type Random, randomInt } from '../../../lib/random.ts'

export type Json = Record<string, unknown>

/** One cluster: what is said of it, and its endpoints (envoy.config.endpoint.v3.ClusterLoadAssignment), as JSON. */
export interface Case {
  readonly cluster: Json
  readonly assignment: Json
}

/** A number for each of a case's hosts, from which their addresses are made. */
type AddressOf = (host: number) => string

const STATUSES = ['HEALTHY', 'HEALTHY', 'UNKNOWN', 'DEGRADED', 'UNHEALTHY', 'DRAINING', 'TIMEOUT'] as const
const MAX_PRIORITIES = 4
const MAX_LOCALITIES = 3
const MAX_HOSTS = 6
/** Ends of the scale, and what lies between. */
const THRESHOLDS = [undefined, 0, 20, 50, 100]
const OVERPROVISIONING = [undefined, 100, 120, 200]

/** Priorities, localities, weights and health, as they come. */
export function randomCase(random: Random, addressOf: AddressOf, port: number): Case {
  const one = <T>(from: readonly T[]) => from[randomInt(random, from.length)] as T
  const maybe = (percent: number) => randomInt(random, 100) < percent
  let hosts = 0
  const endpoint = (mostly: string, share: number): Json => ({
    endpoint: { address: { socket_address: { address: addressOf(hosts++), port_value: port } } },
    health_status: maybe(share) ? mostly : one(STATUSES),
    ...(maybe(50) && { load_balancing_weight: 1 + randomInt(random, 4) }),
  })
  const endpoints: Json[] = []
  const priorities = 1 + randomInt(random, MAX_PRIORITIES)
  for (let priority = 0; priority < priorities; priority++) {
    const localities = 1 + randomInt(random, MAX_LOCALITIES)
    // Alike within a priority, so that there are those that have failed as a whole and those that are well.
    const [mostly, share] = [one(STATUSES), one([0, 50, 90])]
    for (let locality = 0; locality < localities; locality++) {
      const size = randomInt(random, MAX_HOSTS + 1)
      if (size === 0 && maybe(80)) continue
      endpoints.push({
        priority,
        ...(maybe(90) && { locality: { region: 'r', zone: `z${locality}` } }),
        ...(maybe(90) && { load_balancing_weight: 1 + randomInt(random, 5) }),
        lb_endpoints: Array.from({ length: size }, () => endpoint(mostly, share)),
      })
    }
  }
  const [threshold, factor, byWeight] = [one(THRESHOLDS), one(OVERPROVISIONING), maybe(20)]
  return {
    cluster: {
      lb_policy: 'ROUND_ROBIN',
      common_lb_config: {
        ...(threshold !== undefined && { healthy_panic_threshold: { value: threshold } }),
        ...(maybe(50)
          ? { locality_weighted_lb_config: {} }
          : maybe(30) && { zone_aware_lb_config: { fail_traffic_on_panic: true } }),
      },
    },
    assignment: {
      endpoints,
      policy: { ...(factor && { overprovisioning_factor: factor }), weighted_priority_health: byWeight },
    },
  }
}

/** Two priorities or more of so many hosts, of which so many are healthy and so many degraded. */
export function priorities(
  groups: readonly (readonly [hosts: number, healthy: number, degraded?: number])[],
  addressOf: AddressOf,
  port: number,
  panicThreshold = 50,
): Case {
  let next = 0
  const endpoints = groups.map(([hosts, healthy, degraded = 0], priority) => ({
    priority,
    lb_endpoints: Array.from({ length: hosts }, (_, i) => ({
      endpoint: { address: { socket_address: { address: addressOf(next++), port_value: port } } },
      health_status: i < healthy ? 'HEALTHY' : i < healthy + degraded ? 'DEGRADED' : 'UNHEALTHY',
    })),
  }))
  const cluster = { lb_policy: 'ROUND_ROBIN', common_lb_config: { healthy_panic_threshold: { value: panicThreshold } } }
  return { cluster, assignment: { endpoints } }
}
