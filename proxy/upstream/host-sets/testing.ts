import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { ClusterSchema } from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ClusterLoadAssignmentSchema } from '../../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { ManualClock } from '../../../lib/clock.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { type Random, seededRandom } from '../../../lib/random.ts'
import { compileCluster } from '../../plan/compile/cluster.ts'
import { compileEndpoints } from '../../plan/compile/endpoints.ts'
import { Host } from '../host.ts'
import { balancersOf } from '../lb/balancer.ts'
import { ClusterStats } from '../stats.ts'
import { createPicker } from './picker.ts'

/** Helpers for the tests of this room. */

export interface TestHost {
  readonly status?: 'HEALTHY' | 'DEGRADED' | 'UNHEALTHY' | 'DRAINING'
  readonly weight?: number
  /** Under envoy.lb. */
  readonly metadata?: Record<string, JsonValue>
}

export interface TestGroup {
  readonly priority?: number
  readonly zone?: string
  readonly weight?: number
  readonly hosts: readonly TestHost[]
}

let nextAddress = 0

/** The hosts of such an assignment, group by group. */
export function hostsOf(groups: readonly TestGroup[], policy: object = {}): Host[][] {
  const endpoints = groups.map(({ priority = 0, zone, weight, hosts }) => ({
    priority,
    ...(zone !== undefined && { locality: { region: 'r', zone } }),
    ...(weight !== undefined && { load_balancing_weight: weight }),
    lb_endpoints: hosts.map((host) => ({
      endpoint: { address: { socket_address: { address: addressOf(nextAddress++), port_value: 80 } } },
      health_status: host.status ?? 'UNKNOWN',
      ...(host.weight !== undefined && { load_balancing_weight: host.weight }),
      ...(host.metadata && { metadata: { filter_metadata: { 'envoy.lb': host.metadata } } }),
    })),
  }))
  const assignment = fromJson(ClusterLoadAssignmentSchema, { cluster_name: 'c', endpoints, policy } as JsonValue)
  const all = compileEndpoints(assignment).map((plan) => new Host(plan))
  return groups.map(({ hosts }) => all.splice(0, hosts.length))
}

function addressOf(number: number): string {
  return `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`
}

/** `count` hosts alike. */
export function some(count: number, host: TestHost = {}): TestHost[] {
  return Array.from({ length: count }, () => host)
}

/** A picker over such hosts, of a cluster that has these fields. */
export function pickerOf(groups: readonly TestGroup[], cluster: object = {}, policy: object = {}, seed = 1) {
  let draws = 0
  const dice = seededRandom(seed)
  const random: Random = {
    next: () => {
      draws++
      return dice.next()
    },
  }
  const fields = { name: 'c', lb_policy: 'ROUND_ROBIN', ...cluster } as JsonValue
  const plan = compileCluster(fromJson(ClusterSchema, fields), '1')
  const stats = new ClusterStats(new MetricStore(), 'c')
  const hosts = hostsOf(groups, policy)
  const balancers = balancersOf(plan.balancing, { random, clock: new ManualClock() })
  const picker = createPicker(plan, balancers, random, stats)
  picker.setHosts(hosts.flat())
  return { picker, hosts, stats, plan, draws: () => draws }
}
