import type { Clock } from '../../../lib/clock.ts'
import type { Random } from '../../../lib/random.ts'
import type { BalancingPlan } from '../../plan/balancing-plan.ts'
import type { Host } from '../host.ts'
import type { HostChoice } from './choice.ts'
import { maglevBalancer, ringHashBalancer } from './hashing/hashing.ts'
import type { Latencies } from './latencies.ts'
import { LeastRequestBalancer } from './least-request.ts'
import { PeakCosts, PeakEwmaBalancer } from './peak-ewma.ts'
import { RandomBalancer } from './random.ts'
import { RoundRobinBalancer } from './round-robin.ts'

/** Chooses one host of those that may be used. Told of every new set; never sees an empty one. */
export interface Balancer {
  /** `weights`, one a host, take the place of those of the hosts' plans where hosts of several localities share one table. */
  update(hosts: readonly Host[], weights?: readonly number[]): void
  /** `redraw` counts the hosts that were chosen for this try before, and not wanted. */
  pick(choice: HostChoice, redraw: number): Host
}

/** What makes the balancers of one cluster: one for each set of hosts that is chosen among. */
export interface Balancers {
  create(): Balancer
  /** Told how long tries take, where the choice depends on it. */
  readonly latencies: Latencies | undefined
}

export interface BalancerContext {
  readonly random: Random
  readonly clock: Clock
}

export function balancersOf(plan: BalancingPlan, context: BalancerContext): Balancers {
  if (plan.kind !== 'peak_ewma') return { create: () => createBalancer(plan, context), latencies: undefined }
  // What is known of a host is the same in whichever set it stands.
  const costs = new PeakCosts(context.clock, plan.decayMs)
  return { create: () => new PeakEwmaBalancer(context, costs), latencies: costs }
}

function createBalancer(plan: Exclude<BalancingPlan, { kind: 'peak_ewma' }>, context: BalancerContext): Balancer {
  switch (plan.kind) {
    case 'round_robin':
      return new RoundRobinBalancer(context, plan.slowStart)
    case 'least_request':
      return new LeastRequestBalancer(context, plan)
    case 'ring_hash':
      return ringHashBalancer(plan, context.random)
    case 'maglev':
      return maglevBalancer(plan, context.random)
    default:
      return new RandomBalancer(context.random)
  }
}
