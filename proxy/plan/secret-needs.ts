import type { ClusterPlan, ListenerPlan, Plan } from './plan.ts'
import type { BySecrets, SecretRef } from './secret-plan.ts'
import type { DownstreamTlsPlan, UpstreamTlsPlan } from './tls-plan.ts'

/** The TLS contexts of a plan, whether they refer to secrets or not. */
export function* tlsContexts(plan: Plan): Generator<BySecrets<DownstreamTlsPlan | UpstreamTlsPlan>, void, undefined> {
  for (const { filterChains, defaultFilterChain } of plan.listeners.values()) {
    for (const { tls } of filterChains) if (tls !== undefined) yield tls
    if (defaultFilterChain?.tls !== undefined) yield defaultFilterChain.tls
  }
  for (const { tls, socketMatches } of plan.clusters.values()) {
    if (tls !== undefined) yield tls
    for (const match of socketMatches) if (match.tls !== undefined) yield match.tls
  }
}

const NONE: readonly never[] = []
const known = new WeakMap<ListenerPlan, readonly BySecrets<DownstreamTlsPlan>[]>()

/** The TLS contexts of a listener's filter chains that refer to secrets. */
export function tlsBySecrets(listener: ListenerPlan): readonly BySecrets<DownstreamTlsPlan>[] {
  let found = known.get(listener)
  if (found === undefined) {
    const { filterChains, defaultFilterChain } = listener
    const chains = defaultFilterChain === undefined ? filterChains : [...filterChains, defaultFilterChain]
    found = chains.flatMap(({ tls }) => (tls === undefined || tls.needs.length === 0 ? NONE : tls))
    known.set(listener, found)
  }
  return found
}

/** Every secret that a listener refers to; one may be there several times. */
export function secretsOfListener(listener: ListenerPlan): readonly SecretRef[] {
  return tlsBySecrets(listener).flatMap(({ needs }) => needs)
}

/** The TLS contexts of a cluster that refer to secrets. */
export function tlsOfCluster({ tls, socketMatches }: ClusterPlan): readonly BySecrets<UpstreamTlsPlan>[] {
  if (socketMatches.length === 0) return tls === undefined || tls.needs.length === 0 ? NONE : [tls]
  return [tls, ...socketMatches.map((match) => match.tls)].filter(
    (one) => one !== undefined && one.needs.length > 0,
  ) as BySecrets<UpstreamTlsPlan>[]
}

/** Every secret that a cluster refers to; one may be there several times. */
export function secretsOfCluster(cluster: ClusterPlan): readonly SecretRef[] {
  if (cluster.socketMatches.length === 0) return cluster.tls?.needs ?? NONE
  return tlsOfCluster(cluster).flatMap(({ needs }) => needs)
}
