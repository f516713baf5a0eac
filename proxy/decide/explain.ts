import { STATUS_CODES } from 'node:http'
import { parseClusterName } from '../../api/names.ts'
import { formatOrigin, type Origin } from '../../api/origin.ts'
import { systemClock } from '../../lib/clock.ts'
import { hexOf } from '../../lib/xxhash64.ts'
import { ConnectionJudgement } from '../filters/network/judgement.ts'
import type { HeadError } from '../http1/head-error.ts'
import { parseRequestHead } from '../http1/request-parser.ts'
import { isHashing } from '../plan/balancing-plan.ts'
import { describeHashPolicy } from '../plan/hash-policy-plan.ts'
import type { ClusterPlan, ForwardPlan, HttpManagerPlan, ListenerPlan, Plan, TcpProxyPlan } from '../plan/plan.ts'
import { HeaderBlock } from '../stream/header-block.ts'
import { RequestHead } from '../stream/message.ts'
import { finishRequestHead } from '../stream/request-text.ts'
import type { Call } from './call.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import { decide, pick, resume, routesOf } from './decide.ts'
import { type Decision, newDecision, type TokenDecision } from './decision.ts'
import { type AuthorizationExplained, explainAuthorization, factsOf, NOT_ASKED } from './explain-authorization.ts'
import { explainTls } from './explain-tls.ts'
import { changeResponse } from './field-change.ts'
import { addressWithoutPort } from './fields.ts'
import { findFilterChain } from './filter-chain.ts'
import { findListener } from './find-listener.ts'
import { mutateHeaders } from './mutate.ts'
import { prepareRequest } from './prepare.ts'
import type { Question } from './question.ts'
import { SYMBOLIC_SURROUNDINGS } from './surroundings.ts'
import type { Trace } from './trace.ts'

/** A call that nobody makes: enough is known of it to decide it. */
export interface SymbolicCall {
  method: string
  url: URL
  /** The request target exactly as it would be sent; the URL's path and query when absent. */
  target?: string
  headers: readonly (readonly [name: string, value: string])[]
  direction: 'outbound' | 'inbound' | 'gateway'
  /** What capture would see as the destination, `ip:port`; '' when the connection goes to the listener itself. */
  destination: string
  /** The address that the URL's host stands for, '' when not known. */
  resolvedAddress: string
  protocol: 'http' | 'tcp'
  tls: 'none' | 'tls' | 'mtls'
  sni: string
  alpn: readonly string[]
  /** SPIFFE id of the caller; '' for none. It counts with `mtls` only. */
  peer: string
  /** The peer of the connection; a loopback address when absent or ''. */
  sourceIp?: string
  /** Fixes the weighted pick and the fractions of routes and mirrors. */
  randomValue: number
  /** In [0, 1): fixes whether a fault that meets a part of the calls meets this one. */
  faultDraw: number
  /** Takes clusters without endpoints to have some: for configuration that tells nothing of endpoints. */
  assumeHosts?: boolean
}

/** What `explain` prints. `error` names the miss when the call goes nowhere. */
export interface Explanation {
  listener: string | null
  filterChain: string | null
  virtualHost: string | null
  route: string | null
  cluster: string | null
  subset: string | null
  host: string | null
  path: string | null
  requestHeaders: Record<string, string> | null
  timeoutMs: number | null
  retries: { attempts: number; on: string[]; perTryTimeoutMs: number } | null
  /** Weighted clusters with their shares, when there is a choice. */
  choices: { cluster: string; weight: number; of: number }[]
  mirrors: string[]
  /** How the cluster's host is chosen. */
  balancer: string | null
  /** What is hashed for that; `value` is null where the request has nothing of it, so that any host may come. */
  hash: { of: string[]; value: string | null } | null
  fault: { delayMs: number; abortStatus: number | null } | null
  directResponse: { status: number; body: string; headers: Record<string, string> } | null
  redirect: { status: number; location: string } | null
  /** How the cluster is called; of a call that ends here, how it came. */
  tls: { mode: string; sni: string; peer: string }
  /** What was found of the caller's token; null where none was looked for. */
  token: TokenDecision | null
  authorization: AuthorizationExplained
  /** Whom the proxy would ask before it goes on. What they would say is not known, so nothing that follows is. */
  asks: string | null
  trace: { candidate: string; matched: boolean; reason: string; origin: Origin | null }[]
  origin: Origin | null
  error: string | null
}

/** Walks a symbolic call through a plan: listener, filter chain, then decide(). */
export async function explainCall(plan: Plan, call: SymbolicCall): Promise<Explanation> {
  const trace: Trace = []
  const result = emptyExplanation(call)
  const destination = hostOf(call.destination) || call.resolvedAddress
  const facts = factsOf(call, destination, portOf(call.destination) || portOfUrl(call.url))
  const listener = findListener(plan, call, trace)
  if (listener === undefined) return finish(result, trace, `no listener takes port ${facts.destinationPort}`)
  result.listener = listener.name
  result.origin = listener.origin ?? null
  const chain = findFilterChain(listener, facts, trace)
  if (chain === undefined) return finish(result, trace, `no filter chain of listener ${listener.name} matches`)
  result.filterChain = chain.name === '' ? `#${listener.filterChains.indexOf(chain) + 1}` : chain.name
  const found = new ConnectionJudgement(chain.authorization, facts, () => {}, trace)
  result.authorization = explainAuthorization(found)
  if (found.asks !== undefined) {
    result.asks = `cluster ${found.asks.service.cluster} whether the connection may pass`
    return finish(result, trace, null)
  }
  if (found.verdict === 'deny') return finish(result, trace, 'the connection is not authorized')
  if (chain.filter.kind === 'tcp') return explainTcp(plan, listener, chain.filter, call, result, trace)
  return explainHttp(plan, listener, chain.filter, call, facts, result, trace)
}

function explainTcp(
  plan: Plan,
  listener: ListenerPlan,
  proxy: TcpProxyPlan,
  call: SymbolicCall,
  result: Explanation,
  trace: Trace,
): Explanation {
  const choice = pick(proxy.clusters, call.randomValue)
  setCluster(result, choice.cluster)
  describeTls(plan, call, choice.cluster, result)
  result.choices = choicesOf(proxy.clusters)
  result.origin = listener.origin ?? null
  if (plan.clusters.has(choice.cluster)) return finish(result, trace, null)
  return finish(result, trace, `no cluster ${choice.cluster}`)
}

async function explainHttp(
  plan: Plan,
  listener: ListenerPlan,
  manager: HttpManagerPlan,
  call: SymbolicCall,
  known: ConnectionFacts,
  result: Explanation,
  trace: Trace,
): Promise<Explanation> {
  const head = new RequestHead()
  const parseError = headOf(call, head)
  if (parseError !== undefined) {
    result.directResponse = { status: parseError.status, body: STATUS_CODES[parseError.status] ?? '', headers: {} }
    return finish(result, trace, `bad request: ${parseError.detail}`)
  }
  const source = call.sourceIp || '127.0.0.1'
  const facts = { ...known, directSourceAddress: source, sourceAddress: source }
  facts.destinationAddress ||= '127.0.0.1'
  const asked: Call = {
    head,
    facts,
    random: { next: () => call.faultDraw },
    randomValue: call.randomValue,
    wallMs: () => systemClock.wallMs(),
    around: SYMBOLIC_SURROUNDINGS,
    addRequestId: (head) => head.append('x-request-id', '<generated>'),
  }
  const decision = newDecision()
  const routes = routesOf(plan, manager)
  // Of a client's certificate only the name is given, which is too little to say it onward.
  const unnamed = { ...asked, facts: { ...facts, tls: undefined } }
  if (prepareRequest(manager, unnamed, decision)) decide(plan, manager, routes, asked, decision, trace)
  while (decision.question?.isLocal === true) {
    resume(plan, manager, routes, asked, decision, await answerTo(decision.question, asked, decision), trace)
  }
  describeDecision(result, decision)
  describeBalancing(plan.clusters.get(decision.choice?.cluster ?? ''), decision, result)
  result.token = decision.token ?? null
  if (decision.authorization.verdict !== 'none') result.authorization = explainAuthorization(decision.authorization)
  if (decision.question !== undefined) {
    result.asks = decision.question.about
    return finish(result, trace, null)
  }
  if (decision.outcome === 'forward' && routes !== undefined) {
    describeTls(plan, call, decision.choice?.cluster ?? '', result)
    mutateHeaders(routes, decision, asked, head, 'request')
    finishRequestHead(head, decision)
    if (decision.virtualHost?.includeAttemptCount === true) head.set('x-envoy-attempt-count', '1')
    result.requestHeaders = { host: decision.authority, ...fieldsOf(head) }
    const hostless = whyNoHost(plan, listener, decision.choice?.cluster ?? '', call.assumeHosts === true)
    if (hostless !== undefined) {
      result.directResponse = { status: 503, body: 'no healthy upstream', headers: {} }
      return finish(result, trace, hostless)
    }
  }
  return finish(result, trace, missOf(decision, result, manager))
}

/** The answer to what computing alone can answer. */
function answerTo(question: Question, call: Call, decision: Decision): Promise<unknown> {
  return new Promise((resolve) => {
    question.ask({ call, decision, context: undefined, body: () => [], bodyIsEnded: true, answer: resolve })
  })
}

/** Why a request that is forwarded to this cluster can reach no host, as far as the configuration tells. */
function whyNoHost(plan: Plan, listener: ListenerPlan, clusterName: string, assumeHosts: boolean): string | undefined {
  const cluster = plan.clusters.get(clusterName)
  if (cluster?.discovery === 'original_dst' && listener.bindToPort && !listener.useOriginalDst) {
    return `cluster ${clusterName} needs a captured connection, and listener ${listener.name} takes connections of its own`
  }
  if (cluster?.discovery !== 'eds' && cluster?.discovery !== 'static') return undefined
  if (assumeHosts && cluster.discovery === 'eds') return undefined
  const endpoints = cluster.discovery === 'eds' ? plan.endpoints.get(cluster.edsServiceName) : cluster.endpoints
  return endpoints === undefined || endpoints.length === 0 ? `cluster ${clusterName} has no endpoints` : undefined
}

function headOf(call: SymbolicCall, head: RequestHead): HeadError | undefined {
  const hasHost = call.headers.some(([name]) => name.toLowerCase() === 'host')
  const lines = [
    `${call.method} ${call.target ?? call.url.pathname + call.url.search} HTTP/1.1`,
    ...(hasHost ? [] : [`Host: ${call.url.host}`]),
    ...call.headers.map(([name, value]) => `${name}: ${value}`),
  ]
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  return parseRequestHead(bytes, 0, bytes.length - 4, head)
}

function describeDecision(result: Explanation, decision: Decision): void {
  const { route, virtualHost, choice } = decision
  result.virtualHost = virtualHost?.name ?? null
  result.route = route === undefined ? null : route.name
  result.origin = route?.origin ?? virtualHost?.origin ?? result.origin
  if (choice !== undefined) setCluster(result, choice.cluster)
  const action = route?.action
  if (action?.kind === 'forward') {
    result.choices = choicesOf(action.clusters)
    if (decision.outcome === 'forward') describeForward(result, decision, action)
  }
  if (decision.delayMs > 0 || decision.flag === 'FI') {
    result.fault = { delayMs: decision.delayMs, abortStatus: decision.flag === 'FI' ? decision.status : null }
  }
  if (decision.outcome === 'redirect') result.redirect = { status: decision.status, location: decision.location }
  else if (decision.outcome !== 'forward' && decision.outcome !== 'ask') {
    const fields = new HeaderBlock()
    for (const change of decision.responseHeaders ?? []) changeResponse(fields, change)
    const headers = fieldsOf(fields)
    result.directResponse = { status: decision.status, body: decision.body?.toString('utf8') ?? '', headers }
  }
}

function describeForward(result: Explanation, decision: Decision, _action: ForwardPlan): void {
  result.host = decision.authority
  result.path = decision.path
  result.timeoutMs = decision.timeoutMs
  result.mirrors = decision.mirrors.map((mirror) => mirror.cluster)
  const { retry } = decision
  if (retry !== undefined) {
    result.retries = { attempts: retry.attempts, on: [...retry.on], perTryTimeoutMs: retry.perTryTimeoutMs }
  }
}

function describeBalancing(cluster: ClusterPlan | undefined, decision: Decision, result: Explanation): void {
  const { action } = decision.route ?? {}
  if (cluster === undefined || decision.outcome !== 'forward' || action?.kind !== 'forward') return
  result.balancer = cluster.balancing.kind
  if (!isHashing(cluster.balancing) || action.hashPolicies.length === 0) return
  const of = action.hashPolicies.map(describeHashPolicy)
  result.hash = { of, value: decision.hash === undefined ? null : hexOf(decision.hash) }
}

/** The miss in words, when the call does not reach anything that the configuration meant for it. */
function missOf(decision: Decision, result: Explanation, manager: HttpManagerPlan): string | null {
  switch (decision.detail) {
    case 'route_configuration_not_found':
      return `no route configuration ${manager.routeConfigName}`
    case 'route_not_found':
      return decision.virtualHost === undefined
        ? 'no virtual host'
        : `no route of virtual host ${decision.virtualHost.name}`
    case 'cluster_not_found':
      return `no cluster ${result.cluster}`
    case '':
    case 'direct_response':
    case 'cors_response':
    case 'fault_filter_abort':
    case 'local_rate_limited':
      return null
    default:
      if (decision.authorization.verdict === 'deny') return null
      return decision.detail.startsWith('jwt_authn_access_denied') ? null : decision.detail
  }
}

/** A call that comes in has been told how it came; the workload itself is called in plain text. */
function describeTls(plan: Plan, call: SymbolicCall, clusterName: string, result: Explanation): void {
  const cluster = plan.clusters.get(clusterName)
  if (cluster !== undefined && call.direction !== 'inbound') result.tls = explainTls(plan, cluster)
}

function setCluster(result: Explanation, cluster: string): void {
  result.cluster = cluster
  result.subset = parseClusterName(cluster)?.subset || null
}

function choicesOf(clusters: ForwardPlan['clusters']): Explanation['choices'] {
  if (clusters.entries.length < 2) return []
  return clusters.entries.map((entry) => ({ cluster: entry.cluster, weight: entry.weight, of: clusters.totalWeight }))
}

function fieldsOf(head: HeaderBlock): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [name] of head.fields()) {
    const lower = name.toLowerCase()
    if (lower !== 'host') fields[lower] = head.get(lower) ?? ''
  }
  return fields
}

function finish(result: Explanation, trace: Trace, error: string | null): Explanation {
  result.trace = trace.map((entry) => ({ ...entry, origin: entry.origin ?? null }))
  result.error = error
  return result
}

function emptyExplanation(call: SymbolicCall): Explanation {
  return {
    listener: null,
    filterChain: null,
    virtualHost: null,
    route: null,
    cluster: null,
    subset: null,
    host: null,
    path: null,
    requestHeaders: null,
    timeoutMs: null,
    retries: null,
    choices: [],
    mirrors: [],
    balancer: null,
    hash: null,
    fault: null,
    directResponse: null,
    redirect: null,
    tls: { mode: call.tls, sni: call.sni, peer: call.peer },
    token: null,
    authorization: NOT_ASKED,
    asks: null,
    trace: [],
    origin: null,
    error: null,
  }
}

function hostOf(destination: string): string {
  return destination.includes(':') ? addressWithoutPort(destination) : ''
}

function portOf(destination: string): number {
  return Number(destination.slice(destination.lastIndexOf(':') + 1)) || 0
}

export function portOfUrl(url: URL): number {
  return Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
}

/** `VirtualService default/reviews reviews.yaml:12`, or `-`. */
export function originText(origin: Origin | null): string {
  return origin === null ? '-' : formatOrigin(origin)
}
