import type {
  HTTPMatchRequest,
  L4MatchAttributes,
  StringMatch,
  TLSMatchAttributes,
} from '../../crds/kinds/virtual-service.ts'
import { hostWithin } from '../hosts.ts'

/** Whether the match is met by every call. */
export function isCatchAll(match: HTTPMatchRequest): boolean {
  const { name: _name, statPrefix: _statPrefix, uri, ignoreUriCase: _case, ...rest } = match
  if (Object.values(rest).some((field) => field !== undefined)) return false
  return uri === undefined || uri.prefix === '/' || uri.regex === '.*'
}

/** Whether every call that meets `b` meets `a`. May say no where the truth is yes, never the other way round. */
export function httpCovers(a: HTTPMatchRequest, b: HTTPMatchRequest): boolean {
  if (a.uri !== undefined) {
    if (b.uri === undefined || (b.ignoreUriCase === true && a.ignoreUriCase !== true)) return false
    if (!stringCovers(a.uri, b.uri, a.ignoreUriCase === true)) return false
  }
  for (const field of ['scheme', 'method', 'authority'] as const) {
    const mine = a[field]
    if (mine === undefined) continue
    const theirs = b[field]
    if (theirs === undefined || !stringCovers(mine, theirs, false)) return false
  }
  if (!mapCovers(a.headers, b.headers, presenceCovers)) return false
  if (!mapCovers(a.queryParams, b.queryParams, presenceCovers)) return false
  if (!mapCovers(a.withoutHeaders, b.withoutHeaders, same)) return false
  return scopeCovers(a, b)
}

export function l4Covers(
  a: TLSMatchAttributes | L4MatchAttributes,
  b: TLSMatchAttributes | L4MatchAttributes,
): boolean {
  const sniOf = (match: TLSMatchAttributes | L4MatchAttributes) => ('sniHosts' in match ? match.sniHosts : undefined)
  const mine = sniOf(a)
  if (mine !== undefined && !(sniOf(b) ?? []).every((host) => mine.some((pattern) => hostWithin(host, pattern))))
    return false
  if (a.destinationSubnets !== undefined && !same(a.destinationSubnets, b.destinationSubnets)) return false
  return scopeCovers(a, b)
}

interface Scope {
  port?: number
  sourceLabels?: Record<string, string>
  sourceNamespace?: string
  gateways?: string[]
}

function scopeCovers(a: Scope, b: Scope): boolean {
  if (a.port !== undefined && a.port !== b.port) return false
  if (a.sourceNamespace !== undefined && a.sourceNamespace !== b.sourceNamespace) return false
  if (!mapCovers(a.sourceLabels, b.sourceLabels, same)) return false
  // Gateways of a match replace those of the VirtualService, and switch the source fields off: compare like with like.
  return same(a.gateways, b.gateways)
}

function stringCovers(a: StringMatch, b: StringMatch, ignoreCase: boolean): boolean {
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text)
  if (a.prefix !== undefined) {
    const text = b.exact ?? b.prefix
    return text !== undefined && fold(text).startsWith(fold(a.prefix))
  }
  if (a.exact !== undefined) return b.exact !== undefined && fold(a.exact) === fold(b.exact)
  return a.regex === b.regex || a.regex === '.*'
}

function presenceCovers(a: StringMatch, b: StringMatch): boolean {
  const isPresence = (match: StringMatch) =>
    (match.exact === undefined && match.prefix === undefined && match.regex === undefined) || match.regex === '*'
  return isPresence(a) || (!isPresence(b) && stringCovers(a, b, false))
}

function mapCovers<T>(
  a: Record<string, T> | undefined,
  b: Record<string, T> | undefined,
  covers: (a: T, b: T) => boolean,
): boolean {
  return Object.entries(a ?? {}).every(([key, mine]) => {
    const theirs = b?.[key]
    return theirs !== undefined && covers(mine, theirs)
  })
}

/** Equality of plain data, whatever the order of keys. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
}
