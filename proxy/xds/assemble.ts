import { indexDomains } from '../plan/compile/route-config.ts'
import type {
  ClusterPlan,
  EndpointPlan,
  FilterChainPlan,
  ListenerPlan,
  Plan,
  RouteConfigPlan,
  VirtualHostPlan,
} from '../plan/plan.ts'
import { secretsOfCluster, secretsOfListener } from '../plan/secret-needs.ts'
import type { SecretPlan, SecretRef } from '../plan/secret-plan.ts'

/** What has been accepted so far, static resources included. */
export interface Accepted {
  readonly clusters: ReadonlyMap<string, ClusterPlan>
  readonly endpoints: ReadonlyMap<string, readonly EndpointPlan[]>
  readonly listeners: ReadonlyMap<string, ListenerPlan>
  readonly routes: ReadonlyMap<string, RouteConfigPlan>
  /** Virtual hosts that come apart from their route tables, by `<table>/<host>`. */
  readonly virtualHosts: ReadonlyMap<string, VirtualHostPlan>
  /** A secret that is referred to, if it is there. */
  secret(ref: SecretRef): SecretPlan | undefined
  /** Like hasGivenUp(), after the time that the reference says. */
  hasGivenUpSecret(ref: SecretRef): boolean
  /** True for what has been waited for long enough: it is served as if it had come empty. */
  hasGivenUp(type: 'endpoint' | 'route', name: string): boolean
  /** Whether a cluster that has been removed may still be served while routes name it. */
  mayLinger(cluster: string): boolean
}

export interface Assembly {
  plan: Plan
  /** What is held back until something it needs comes: name and need. */
  warming: { clusters: string[]; listeners: string[]; routes: string[] }
}

/**
 * Puts the next plan together so that nothing in it names what is not there: a new cluster waits for its endpoints, a
 * route configuration for the clusters that it names, a listener for its route configuration, and both for their secrets;
 * each keeps its former version meanwhile. A removed cluster stays as long as routes name it.
 */
export function assemblePlan(accepted: Accepted, before: Plan): Assembly {
  const warming: Assembly['warming'] = { clusters: [], listeners: [], routes: [] }
  const clusters = new Map<string, ClusterPlan>()
  /** Clusters that are not served at all because they wait for secrets. */
  const lacking = new Set<string>()
  const lacksSecret = (refs: readonly SecretRef[]) =>
    anyOf(refs, (ref) => accepted.secret(ref) === undefined && !accepted.hasGivenUpSecret(ref))
  for (const [name, cluster] of accepted.clusters) {
    const { edsServiceName } = cluster
    const lacks = lacksSecret(secretsOfCluster(cluster))
    const isWarm =
      (cluster.discovery !== 'eds' ||
        accepted.endpoints.has(edsServiceName) ||
        accepted.hasGivenUp('endpoint', edsServiceName)) &&
      !lacks
    const served = isWarm ? cluster : before.clusters.get(name)
    if (!isWarm) warming.clusters.push(name)
    if (served !== undefined) clusters.set(name, served)
    else if (lacks) lacking.add(name)
  }
  const routeConfigs = new Map<string, RouteConfigPlan>()
  const apart = hostsByTable(accepted.virtualHosts)
  for (const [name, table] of accepted.routes) {
    const routes = table.usesVhds ? withHosts(table, apart.get(name) ?? [], before.routeConfigs.get(name)) : table
    // A table whose hosts come apart has at least one, or it has not come yet.
    const isEmpty = routes.usesVhds && routes.virtualHosts.length === 0 && !accepted.hasGivenUp('route', name)
    const waits =
      isEmpty || clustersOf(routes).some((cluster) => accepted.clusters.has(cluster) && !clusters.has(cluster))
    const served = waits ? before.routeConfigs.get(name) : routes
    if (waits) warming.routes.push(name)
    if (served !== undefined) routeConfigs.set(name, served)
  }
  const listeners = new Map<string, ListenerPlan>()
  for (const [name, listener] of accepted.listeners) {
    const lacksRoutes = anyOf(
      routeNamesOf(listener),
      (route) => !routeConfigs.has(route) && !accepted.hasGivenUp('route', route),
    )
    const lacksSecrets = lacksSecret(secretsOfListener(listener))
    const waits =
      lacksRoutes || lacksSecrets || (lacking.size > 0 && inlineClustersOf(listener).some((name) => lacking.has(name)))
    const served = waits ? before.listeners.get(name) : listener
    if (waits) warming.listeners.push(name)
    if (served === undefined) continue
    listeners.set(name, served)
    // A listener of before may still need a route configuration that is no longer asked for.
    for (const needed of routeNamesOf(served)) {
      const former = before.routeConfigs.get(needed)
      if (!routeConfigs.has(needed) && former !== undefined) routeConfigs.set(needed, former)
    }
  }
  for (const routes of routeConfigs.values()) {
    for (const name of clustersOf(routes)) {
      const former = before.clusters.get(name)
      if (!clusters.has(name) && former !== undefined && accepted.mayLinger(name)) clusters.set(name, former)
    }
  }
  const endpoints = new Map(accepted.endpoints)
  for (const cluster of clusters.values()) {
    const former = before.endpoints.get(cluster.edsServiceName)
    if (!endpoints.has(cluster.edsServiceName) && former !== undefined) endpoints.set(cluster.edsServiceName, former)
  }
  const secrets = new Map<string, SecretPlan>()
  for (const ref of secretsNamed(listeners.values(), clusters.values())) {
    // A former version may still need a secret that is no longer asked for.
    const secret = accepted.secret(ref) ?? before.secrets.get(ref.key)
    if (secret !== undefined) secrets.set(ref.key, secret)
  }
  return { plan: { version: before.version + 1, listeners, routeConfigs, clusters, endpoints, secrets }, warming }
}

/** Like some(), but asks of each: to be asked for is what begins a wait. */
function anyOf<T>(items: readonly T[], test: (item: T) => boolean): boolean {
  let found = false
  for (const item of items) if (test(item)) found = true
  return found
}

/** Every secret that these listeners and clusters refer to; one may come several times. */
export function* secretsNamed(
  listeners: Iterable<ListenerPlan>,
  clusters: Iterable<ClusterPlan>,
): Generator<SecretRef, void, undefined> {
  for (const listener of listeners) yield* secretsOfListener(listener)
  for (const cluster of clusters) yield* secretsOfCluster(cluster)
}

/** The hosts of each table, by the part of their name before the last slash. */
function hostsByTable(hosts: ReadonlyMap<string, VirtualHostPlan>): Map<string, VirtualHostPlan[]> {
  const tables = new Map<string, VirtualHostPlan[]>()
  for (const [name, host] of hosts) {
    const table = name.slice(0, name.lastIndexOf('/'))
    const found = tables.get(table)
    if (found === undefined) tables.set(table, [host])
    else found.push(host)
  }
  return tables
}

/** A table with its hosts; the one of before when they are the same, so that nothing is indexed anew. */
function withHosts(
  table: RouteConfigPlan,
  hosts: readonly VirtualHostPlan[],
  before: RouteConfigPlan | undefined,
): RouteConfigPlan {
  const isSame =
    before !== undefined &&
    tableOf.get(before) === table &&
    before.virtualHosts.length === hosts.length &&
    hosts.every((host, i) => before.virtualHosts[i] === host)
  if (isSame) return before
  const joined = { ...table, virtualHosts: hosts, domains: indexDomains(hosts, table.name, 'keep first') }
  tableOf.set(joined, table)
  return joined
}

/** The table that a joined one was made of. */
const tableOf = new WeakMap<RouteConfigPlan, RouteConfigPlan>()

const clusterNames = new WeakMap<RouteConfigPlan, readonly string[]>()

/** Every cluster that a route configuration names. */
export function clustersOf(routes: RouteConfigPlan): readonly string[] {
  let names = clusterNames.get(routes)
  if (names === undefined) {
    const found = new Set<string>()
    for (const host of routes.virtualHosts) {
      for (const { action } of host.routes) {
        if (action.kind !== 'forward') continue
        for (const entry of action.clusters.entries) found.add(entry.cluster)
        for (const mirror of action.mirrors) found.add(mirror.cluster)
      }
    }
    names = [...found]
    clusterNames.set(routes, names)
  }
  return names
}

const inlineClusters = new WeakMap<ListenerPlan, readonly string[]>()

/** Every cluster that a listener names itself, and not by way of a route configuration that comes apart. */
export function inlineClustersOf(listener: ListenerPlan): readonly string[] {
  let names = inlineClusters.get(listener)
  if (names === undefined) {
    names = chainsOf(listener).flatMap(({ filter }) => {
      if (filter.kind === 'tcp') return filter.clusters.entries.map(({ cluster }) => cluster)
      return filter.routes === undefined ? [] : clustersOf(filter.routes)
    })
    inlineClusters.set(listener, names)
  }
  return names
}

function chainsOf({ filterChains, defaultFilterChain }: ListenerPlan): readonly FilterChainPlan[] {
  return defaultFilterChain === undefined ? filterChains : [...filterChains, defaultFilterChain]
}

/** Every route configuration that a listener asks for by name. */
export function routeNamesOf(listener: ListenerPlan): string[] {
  const names = new Set<string>()
  for (const { filter } of chainsOf(listener)) {
    if (filter.kind === 'http' && filter.routes === undefined) names.add(filter.routeConfigName)
  }
  return [...names]
}
