/** envoy.config.cluster.v3.Cluster.SlowStartConfig. */
export interface SlowStartPlan {
  readonly windowMs: number
  readonly aggression: number
  /** Share of its weight that a host begins with. */
  readonly minShare: number
}

/** What the two algorithms have in common that hash requests to hosts. */
export interface HashingPlan {
  /** Hosts are told apart by their names, and not by their addresses. */
  readonly usesHostname: boolean
  /** Per cent of the mean that a host may have of requests under way; 0 is no bound. */
  readonly balanceFactor: number
}

/** How a cluster's hosts are chosen among (envoy.config.cluster.v3.Cluster.LbPolicy, and one of our own). */
export type BalancingPlan =
  | { readonly kind: 'round_robin'; readonly slowStart: SlowStartPlan | undefined }
  | {
      readonly kind: 'least_request'
      /** 0: every host is looked at (FULL_SCAN). */
      readonly choices: number
      readonly activeRequestBias: number
      readonly slowStart: SlowStartPlan | undefined
    }
  | { readonly kind: 'random' }
  | { readonly kind: 'peak_ewma'; readonly decayMs: number }
  | ({ readonly kind: 'ring_hash'; readonly minSize: number; readonly maxSize: number } & HashingPlan)
  | ({ readonly kind: 'maglev'; readonly tableSize: number } & HashingPlan)
  | { readonly kind: 'cluster_provided' }

/** Whether the hash of a request matters. */
export function isHashing(plan: BalancingPlan): plan is BalancingPlan & HashingPlan {
  return plan.kind === 'ring_hash' || plan.kind === 'maglev'
}

export function sameBalancing(a: BalancingPlan, b: BalancingPlan): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}
