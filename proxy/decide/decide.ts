import { isHashing } from '../plan/balancing-plan.ts'
import type {
  ForwardPlan,
  HttpFilterPlan,
  HttpManagerPlan,
  Plan,
  RouteConfigPlan,
  RoutePlan,
  WeightedChoice,
  WeightedClusterPlan,
} from '../plan/plan.ts'
import type { RequestHead } from '../stream/message.ts'
import type { Call } from './call.ts'
import { answer, type Decision } from './decision.ts'
import { hashCall } from './hash.ts'
import { redirectLocation, rewritePath } from './rewrite.ts'
import { findRoute, findVirtualHost, isWithin } from './route.ts'
import { decideTries } from './steer.ts'
import type { Trace } from './trace.ts'

/*
 * Where a call goes. Pure: what it needs of time and chance comes with the call. The proxy, `explain`, `test` and the
 * simulator all come through here, and nothing else decides.
 *
 *   prepare.ts    checks, normalisation and forwarding headers, before anything is matched
 *   route.ts      virtual host and route
 *   filters/http  tokens, policies, CORS, faults: in the order of the connection manager's chain
 *   rewrite.ts    path, host, redirect
 *   mutate.ts     header fields, request and response
 */

export function routesOf(plan: Plan, manager: HttpManagerPlan): RouteConfigPlan | undefined {
  return manager.routes ?? plan.routeConfigs.get(manager.routeConfigName)
}

/**
 * Fills `decision` for one prepared call. `routes` is what routesOf() gave for the connection manager; `trace`
 * collects every candidate that was looked at.
 */
export function decide(
  plan: Plan,
  manager: HttpManagerPlan,
  routes: RouteConfigPlan | undefined,
  call: Call,
  decision: Decision,
  trace?: Trace,
): void {
  if (routes === undefined) {
    trace?.push({
      candidate: `route configuration ${manager.routeConfigName}`,
      matched: false,
      reason: 'is not known',
      origin: undefined,
    })
  } else {
    lookUp(routes, call, decision, trace)
    if (!mayUpgrade(manager, decision.route, call.head)) {
      // Not one byte of what may follow is believed to be a request: the answer ends the connection.
      call.head.keepAlive = false
      answer(decision, 403, 'upgrade_failed', '')
      return
    }
  }
  judgeAndAct(plan, manager, routes, call, decision, undefined, trace)
}

/**
 * Goes on with a decision that waited for the answer to its question, at the filter that has asked. Nothing before is done
 * anew: the dice that were drawn and the changes to the head stay.
 */
export function resume(
  plan: Plan,
  manager: HttpManagerPlan,
  routes: RouteConfigPlan | undefined,
  call: Call,
  decision: Decision,
  found: unknown,
  trace?: Trace,
): void {
  decision.outcome = 'forward'
  decision.question = undefined
  judgeAndAct(plan, manager, routes, call, decision, found, trace)
}

/** Virtual host, route and cluster, by what the call is now. */
function lookUp(routes: RouteConfigPlan, call: Call, decision: Decision, trace: Trace | undefined): void {
  const { authority } = call.head
  const virtualHost = findVirtualHost(routes, authority)
  if (trace !== undefined) traceVirtualHosts(trace, routes, authority, virtualHost)
  const route = virtualHost === undefined ? undefined : findRoute(virtualHost, call, decision, trace)
  decision.virtualHost = virtualHost
  decision.route = route
  decision.choice = route?.action.kind === 'forward' ? pick(route.action.clusters, call.randomValue) : undefined
}

/** The filters judge first, whether there is a route or not; who may not call is not told what there is. */
function judgeAndAct(
  plan: Plan,
  manager: HttpManagerPlan,
  routes: RouteConfigPlan | undefined,
  call: Call,
  decision: Decision,
  found: unknown,
  trace: Trace | undefined,
): void {
  if (manager.filters.length > 0 && judgeFilters(manager, routes, call, decision, found, trace)) return
  const { head } = call
  decision.path = head.path
  decision.authority = head.authority
  const { route } = decision
  if (route === undefined) {
    answer(decision, 404, routes === undefined ? 'route_configuration_not_found' : 'route_not_found', 'NR')
    return
  }
  const { action } = route
  switch (action.kind) {
    case 'direct_response':
      decision.outcome = 'direct_response'
      decision.status = action.status
      decision.body = action.body
      decision.detail = 'direct_response'
      return
    case 'redirect':
      decision.outcome = 'redirect'
      decision.status = action.status
      decision.location = redirectLocation(action, route.match, head)
      decision.detail = 'direct_response'
      return
    default:
      decideForward(plan, action, call, decision)
  }
}

/** Whether the request asks for no upgrade, or for one that its route lets pass, or else the connection manager. */
function mayUpgrade(manager: HttpManagerPlan, route: RoutePlan | undefined, head: RequestHead): boolean {
  const upgrade = head.method === 'CONNECT' ? 'connect' : head.upgrade
  if (upgrade === '') return true
  const byRoute = route?.action.kind === 'forward' ? route.action.upgrades.get(upgrade) : undefined
  return byRoute ?? manager.upgrades.has(upgrade)
}

/** Walks the weights in their order, as Envoy does. */
export function pick(choice: WeightedChoice, randomValue: number): WeightedClusterPlan {
  const { entries } = choice
  if (entries.length === 1) return entries[0]!
  let left = randomValue % choice.totalWeight
  for (const entry of entries) {
    if (left < entry.weight) return entry
    left -= entry.weight
  }
  return entries[entries.length - 1]!
}

/**
 * Runs the filters' pure halves, beginning where the decision stands; true when one of them has answered the call or has
 * to ask. `found` is the answer to what the first of them has asked.
 */
function judgeFilters(
  manager: HttpManagerPlan,
  routes: RouteConfigPlan | undefined,
  call: Call,
  decision: Decision,
  found: unknown,
  trace: Trace | undefined,
): boolean {
  const { filters } = manager
  let answerToFirst = found
  for (let i = decision.filterIndex; i < filters.length; i++) {
    const { filter, name, config: ofChain } = filters[i] as HttpFilterPlan
    decision.filterIndex = i
    const config =
      decision.choice?.filterConfigs.get(name) ??
      decision.route?.filterConfigs.get(name) ??
      decision.virtualHost?.filterConfigs.get(name) ??
      routes?.filterConfigs.get(name) ??
      ofChain
    if (filter.judge(config, call, decision, answerToFirst, ofChain, trace)) return true
    answerToFirst = undefined
    if (decision.clearsRoute && routes !== undefined) {
      decision.clearsRoute = false
      lookUp(routes, call, decision, trace)
    }
  }
  return false
}

function decideForward(plan: Plan, action: ForwardPlan, call: Call, decision: Decision): void {
  const { head } = call
  const { route, choice } = decision
  if (route === undefined || choice === undefined) return
  const cluster = plan.clusters.get(choice.cluster)
  if (cluster === undefined) {
    answer(decision, action.clusterNotFoundStatus, 'cluster_not_found', 'NC')
    return
  }
  decideTries(action, call, decision)
  if (action.rewrite !== undefined) decision.path = rewritePath(action.rewrite, route.match, head.path)
  decision.authority = choice.hostRewrite || action.hostRewrite || head.authority
  if (action.hashPolicies.length > 0 && isHashing(cluster.balancing)) hashCall(action.hashPolicies, call, decision)
  const { connect } = action
  if (connect !== undefined && (head.method === 'CONNECT' || (connect.allowPost && head.method === 'POST'))) {
    decision.connect = connect
    // A time-out runs from the end of the request, and a tunnel's ends with the answer.
    if (head.method === 'CONNECT') decision.timeoutMs = 0
  } else if (action.mirrors.length > 0) {
    decision.mirrors = action.mirrors.filter((m) => m.fraction === undefined || isWithin(m.fraction, call.randomValue))
  }
}

function traceVirtualHosts(
  trace: Trace,
  routes: RouteConfigPlan,
  authority: string,
  found: RouteConfigPlan['virtualHosts'][number] | undefined,
): void {
  for (const host of routes.virtualHosts) {
    const matched = host === found
    const reason = matched
      ? `${JSON.stringify(authority)} is among its domains`
      : `${JSON.stringify(authority)} is not among its domains${host.domains.includes('*') ? ' but for *' : ''}`
    trace.push({ candidate: `virtual host ${host.name}`, matched, reason, origin: host.origin })
  }
}
