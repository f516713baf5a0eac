import type { Clock } from '../../../lib/clock.ts'
import type { Random } from '../../../lib/random.ts'
import type { BalancingPlan } from '../../plan/balancing-plan.ts'
import type { Host } from '../host.ts'
import type { HostChoice } from './choice.ts'
import { maglevBalancer, ringHashBalancer } from './hashing/hashing.ts'
import type { Latencies } from './latencies.ts'
import { LeastRequestBalancer } from './least-request.ts'
import { PeakEwmaBalancer } from './peak-ewma.ts'
import { RandomBalancer } from './random.ts'
import { RoundRobinBalancer } from './round-robin.ts'

/** Chooses one host of those that may be used. Told of every new set; never sees an empty one. */
export interface Balancer {
  update(hosts: readonly Host[]): void
  /** `redraw` counts the hosts that were chosen for this try before, and not wanted. */
  pick(choice: HostChoice, redraw: number): Host
  /** Told how long tries take, where the choice depends on it. */
  readonly latencies?: Latencies | undefined
}

export interface BalancerContext {
  readonly random: Random
  readonly clock: Clock
}

export function createBalancer(plan: BalancingPlan, context: BalancerContext): Balancer {
  switch (plan.kind) {
    case 'round_robin':
      return new RoundRobinBalancer(context, plan.slowStart)
    case 'least_request':
      return new LeastRequestBalancer(context, plan)
    case 'ring_hash':
      return ringHashBalancer(plan, context.random)
    case 'maglev':
      return maglevBalancer(plan, context.random)
    case 'peak_ewma':
      return new PeakEwmaBalancer(context, plan.decayMs)
    default:
      return new RandomBalancer(context.random)
  }
}
