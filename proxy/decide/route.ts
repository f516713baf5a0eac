import { hasCapitals } from '../../lib/lower-case.ts'
import type { Random } from '../../lib/random.ts'
import { queryValue } from '../plan/matchers.ts'
import type {
  DomainIndex,
  Fraction,
  RouteConfigPlan,
  RouteMatchPlan,
  RoutePlan,
  VirtualHostPlan,
} from '../plan/plan.ts'
import type { RouteIndex } from '../plan/route-index.ts'
import type { Call } from './call.ts'
import type { Decision } from './decision.ts'
import { headerMatches, hostWithoutPort, pathname, queryOf } from './fields.ts'
import { metadataMatches } from './metadata.ts'
import {
  describeRefusal,
  MATCHED,
  REFUSED_FRACTION,
  REFUSED_GRPC,
  REFUSED_PATH,
  routeCandidate,
  type Trace,
} from './trace.ts'

/** Envoy's search: exact, longest suffix, longest prefix, `*`; case does not count. */
export function findVirtualHost(config: RouteConfigPlan, authority: string): VirtualHostPlan | undefined {
  const { domains } = config
  const written = config.ignorePortInHost ? hostWithoutPort(authority) : authority
  const exact = domains.exact.get(written)
  if (exact !== undefined) return exact
  if (!hasCapitals(written)) return findWildcard(domains, written)
  const host = written.toLowerCase()
  return domains.exact.get(host) ?? findWildcard(domains, host)
}

function findWildcard(domains: DomainIndex, host: string): VirtualHostPlan | undefined {
  // A wildcard stands for at least one character.
  for (const [suffix, found] of domains.suffixes) if (host.length > suffix.length && host.endsWith(suffix)) return found
  for (const [prefix, found] of domains.prefixes) {
    if (host.length > prefix.length && host.startsWith(prefix)) return found
  }
  return domains.any
}

/** The first route of the virtual host that matches. */
export function findRoute(
  host: VirtualHostPlan,
  call: Call,
  decision: Decision,
  trace: Trace | undefined,
): RoutePlan | undefined {
  const path = pathname(call.head.path)
  const { routes, routeIndex } = host
  if (routeIndex !== undefined && trace === undefined) return findIndexed(routes, routeIndex, call, decision, path)
  for (let i = 0; i < routes.length; i++) {
    const route = routes[i] as RoutePlan
    const refusal = refusalOf(route.match, call, decision, path)
    if (trace !== undefined) {
      const matched = refusal === MATCHED
      const reason = matched ? 'every predicate matches' : `does not match: ${describeRefusal(route, refusal)}`
      trace.push({ candidate: routeCandidate(host, i), matched, reason, origin: route.origin })
    }
    if (refusal === MATCHED) return route
  }
  return undefined
}

function findIndexed(
  routes: readonly RoutePlan[],
  index: RouteIndex,
  call: Call,
  decision: Decision,
  path: string,
): RoutePlan | undefined {
  index.start(path)
  for (let i = index.next(); i >= 0; i = index.next()) {
    const route = routes[i] as RoutePlan
    if (refusalOf(route.match, call, decision, path) === MATCHED) return route
  }
  return undefined
}

/** Whether a call is what a match asks for, outside of route tables. */
export function matchesRoute(match: RouteMatchPlan, call: Call, decision: Decision): boolean {
  return refusalOf(match, call, decision, pathname(call.head.path)) === MATCHED
}

function refusalOf(match: RouteMatchPlan, call: Call, decision: Decision, path: string): number {
  if (!pathMatches(match.path, path, call.head.method)) return REFUSED_PATH
  for (let i = 0; i < match.headers.length; i++) {
    if (!headerMatches(match.headers[i]!, call.head)) return i
  }
  if (match.query.length > 0) {
    const query = queryOf(call.head.path)
    for (let i = 0; i < match.query.length; i++) {
      const matcher = match.query[i]!
      const value = queryValue(query, matcher.name)
      const matches = value !== undefined && (matcher.value === 'present' || matcher.value.test(value))
      if (!matches) return match.headers.length + i
    }
  }
  for (let i = 0; i < match.metadata.length; i++) {
    if (!metadataMatches(match.metadata[i]!, decision)) return match.headers.length + match.query.length + i
  }
  if (match.fraction !== undefined && !isWithin(match.fraction, call.randomValue)) return REFUSED_FRACTION
  if (match.grpcOnly && !isGrpc(call)) return REFUSED_GRPC
  return MATCHED
}

function pathMatches(matcher: RoutePlan['match']['path'], path: string, method: string): boolean {
  if (matcher.kind === 'connect') return method === 'CONNECT'
  if (path === '') return false
  if (matcher.kind === 'regex') return matcher.regex.fullMatch(path)
  const subject = matcher.ignoreCase ? path.toLowerCase() : path
  if (matcher.kind === 'prefix') return subject.startsWith(matcher.value)
  if (matcher.kind === 'path') return subject === matcher.value
  if (!subject.startsWith(matcher.value)) return false
  return subject.length === matcher.value.length || subject.charCodeAt(matcher.value.length) === 47
}

export function isWithin(fraction: Fraction, randomValue: number): boolean {
  return randomValue % fraction.denominator < fraction.numerator
}

/** By a draw of its own; without a fraction always. */
export function isDrawn(fraction: Fraction | undefined, random: Random): boolean {
  if (fraction === undefined) return true
  return fraction.numerator > 0 && Math.floor(random.next() * fraction.denominator) < fraction.numerator
}

export function isGrpc(call: Call): boolean {
  const type = call.head.get('content-type')
  return type !== undefined && (type === 'application/grpc' || type.startsWith('application/grpc+'))
}
