import type { Random } from '../../../lib/random.ts'
import type { ClusterPlan } from '../../plan/plan.ts'
import type { Host } from '../host.ts'
import type { HostChoice } from './choice.ts'
import { LeastRequestBalancer } from './least-request.ts'
import { RandomBalancer } from './random.ts'
import { RoundRobinBalancer } from './round-robin.ts'

/** Chooses one host of those that may be used. Told of every new set; never sees an empty one. */
export interface Balancer {
  /** `weights`, one a host, take the place of those of the hosts' plans where hosts of several localities share one table. */
  update(hosts: readonly Host[], weights?: readonly number[]): void
  /** `redraw` counts the hosts that were chosen for this try before, and not wanted. */
  pick(choice: HostChoice, redraw: number): Host
}

export function createBalancer(plan: ClusterPlan, random: Random): Balancer {
  switch (plan.balancing) {
    case 'round_robin':
      return new RoundRobinBalancer(random)
    case 'least_request':
      return new LeastRequestBalancer(random, plan.leastRequestChoices)
    default:
      return new RandomBalancer(random)
  }
}

export function weightsAreEqual(hosts: readonly Host[]): boolean {
  const first = hosts[0]?.plan.weight
  return hosts.every((host) => host.plan.weight === first)
}
