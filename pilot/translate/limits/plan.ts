import type { Origin } from '../../../api/origin.ts'
import { type LimitPatch, readPatches } from '../../../config/envoy-filter/patch.ts'
import { originAt } from '../../../config/object.ts'
import type { EnvoyFilterSpec } from '../../../crds/kinds/envoy-filter.ts'
import type { RateLimitSpec } from '../../../crds/kinds/rate-limit.ts'
import type { WorkloadLimits } from '../../mesh/workload-limits.ts'
import type { ChainPlan, ListenerPlan } from '../listener/plan.ts'
import { rateLimitPatches } from './rate-limit.ts'

export type PlacedPatch = LimitPatch & { readonly origin: Origin }
export type FilterPatch = Extract<LimitPatch, { kind: 'http_filter' | 'network_filter' }> & { readonly origin: Origin }
export type RoutePatch = Exclude<LimitPatch, FilterPatch | { kind: 'http_filter' | 'network_filter' }> & {
  readonly origin: Origin
}

/** All that objects change of a workload's proxy, in order. Plain data: the same content makes the same filters. */
export function limitPatches(objects: WorkloadLimits): readonly PlacedPatch[] {
  return objects.flatMap((object) => {
    const { namespace, name } = object.metadata
    const patches =
      object.kind === 'RateLimit'
        ? rateLimitPatches(object.body.spec as RateLimitSpec, `${namespace}.${name}`)
        : readPatches(object.body.spec as EnvoyFilterSpec).patches
    return patches.map((patch) => ({ ...patch, origin: originAt(object, patch.path) }))
  })
}

type ProxyType = 'sidecar' | 'router'

/** The plan with the filters, and the additions to routes, that are for it. */
export function withLimits(plan: ListenerPlan, patches: readonly PlacedPatch[], proxy: ProxyType): ListenerPlan {
  const ours = patches.filter((patch) => isFor(patch, proxy, plan.direction))
  if (ours.length === 0) return plan
  const limited = (chain: ChainPlan): ChainPlan => {
    const limits = ours.filter((patch) => meets(patch, plan, chain))
    return limits.length === 0 ? chain : { ...chain, limits }
  }
  return { ...plan, chains: plan.chains.map(limited), defaultChain: plan.defaultChain && limited(plan.defaultChain) }
}

/** Those for route tables that are sent by themselves. */
export function routePatches(patches: readonly PlacedPatch[], proxy: ProxyType): readonly RoutePatch[] {
  return patches.filter(isRoutePatch).filter((patch) => isFor(patch, proxy, 'outbound'))
}

function isRoutePatch(patch: PlacedPatch): patch is RoutePatch {
  return patch.kind === 'virtual_host' || patch.kind === 'http_route'
}

function isFor({ context }: PlacedPatch, proxy: ProxyType, direction: 'inbound' | 'outbound'): boolean {
  if (context === 'ANY') return true
  if (proxy === 'router') return context === 'GATEWAY'
  return context === (direction === 'inbound' ? 'SIDECAR_INBOUND' : 'SIDECAR_OUTBOUND')
}

/** Whether a patch is for this chain; of routes, whether its table is within the chain. */
function meets(patch: PlacedPatch, listener: ListenerPlan, chain: ChainPlan): boolean {
  const { target, match } = chain
  if (!isRoutePatch(patch)) {
    if (patch.listener !== undefined && patch.listener !== listener.name) return false
    // The ports of a redirected listener are told apart by its chains.
    if (patch.port !== undefined && patch.port !== (match.port ?? listener.port)) return false
    return patch.kind === 'network_filter' || target.kind === 'http'
  }
  if (target.kind !== 'http' || 'rds' in target.routes) return false
  const { name, virtualHost } = target.routes
  return meetsTable(patch, name, match.port ?? listener.port) && meetsHost(patch, virtualHost, ['*'])
}

export function meetsTable({ table, port }: RoutePatch, name: string, tablePort: number): boolean {
  return (table === undefined || table === name) && (port === undefined || port === tablePort)
}

export function meetsHost({ virtualHost, domain }: RoutePatch, name: string, domains: readonly string[]): boolean {
  return (virtualHost === undefined || virtualHost === name) && (domain === undefined || domains.includes(domain))
}
