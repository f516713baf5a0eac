import type { Origin } from '../../api/origin.ts'
import { describeHeaderMatcher, describeQueryMatcher } from '../plan/matchers.ts'
import { describeMetadataMatcher } from '../plan/metadata-matcher.ts'
import type { RoutePlan, VirtualHostPlan } from '../plan/plan.ts'

/** One candidate that was looked at, and the first predicate that refused it. */
export interface TraceEntry {
  candidate: string
  matched: boolean
  reason: string
  origin: Origin | undefined
}

/** Collects what decide() looked at. Absent on the data path. */
export type Trace = TraceEntry[]

/** Why a route did not match: an index that describeRefusal() puts into words, or MATCHED. */
export const MATCHED = -1
export const REFUSED_PATH = -2
export const REFUSED_FRACTION = -3
export const REFUSED_GRPC = -4

/** Headers are numbered from 0, query parameters after them, metadata after these. */
export function describeRefusal(route: RoutePlan, refusal: number): string {
  const { match } = route
  if (refusal === REFUSED_PATH) return describePath(route)
  if (refusal === REFUSED_FRACTION) {
    return `the draw fell outside ${match.fraction?.numerator}/${match.fraction?.denominator}`
  }
  if (refusal === REFUSED_GRPC) return 'not a gRPC request'
  const header = match.headers[refusal]
  if (header !== undefined) return describeHeaderMatcher(header)
  const query = match.query[refusal - match.headers.length]
  if (query !== undefined) return describeQueryMatcher(query)
  const metadata = match.metadata[refusal - match.headers.length - match.query.length]
  return metadata === undefined ? '' : describeMetadataMatcher(metadata)
}

export function describePath(route: RoutePlan): string {
  const { path } = route.match
  if (path.kind === 'connect') return 'method CONNECT'
  if (path.kind === 'regex') return `path regex ${JSON.stringify(path.regex.pattern)}`
  return `path ${path.kind === 'path' ? 'exact' : path.kind} ${JSON.stringify(path.value)}`
}

export function routeCandidate(host: VirtualHostPlan, index: number): string {
  const name = host.routes[index]?.name ?? ''
  return `route ${name === '' ? `#${index + 1}` : `${name} (#${index + 1})`} of virtual host ${host.name}`
}
