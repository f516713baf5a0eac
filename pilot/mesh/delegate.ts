import type { StringMatch } from '../../crds/kinds/common.ts'
import type { HTTPMatchRequest, HTTPRoute } from '../../crds/kinds/virtual-service.ts'
import { isVisible } from '../registry/visibility.ts'
import type { HttpMatch, HttpRule, VirtualService } from './virtual-service.ts'

/**
 * Replaces the routes of `root` that delegate by the routes of their delegates (Istio's mergeVirtualServicesIfNeeded).
 * A missing or hidden delegate, and a delegate route that conflicts with its root, drop out.
 */
export function mergeDelegates(
  root: VirtualService,
  find: (namespace: string, name: string) => VirtualService | undefined,
): VirtualService {
  if (root.http.every((rule) => rule.route.delegate === undefined)) return root
  const http: HttpRule[] = []
  for (const rule of root.http) {
    const { delegate } = rule.route
    if (delegate === undefined) {
      http.push(rule)
      continue
    }
    const target = find(delegate.namespace || root.namespace, delegate.name ?? '')
    if (target === undefined || !isVisible(target.exportTo, root.namespace)) continue
    for (const inner of target.http) {
      const merged = mergeRule(rule, inner)
      if (merged !== undefined) http.push(merged)
    }
  }
  return { ...root, http }
}

/** A delegate has no host of its own; it lives only through its roots. */
export function isDelegate(service: VirtualService): boolean {
  return service.hosts.length === 0
}

const INHERITED = [
  'rewrite',
  'directResponse',
  'timeout',
  'retries',
  'fault',
  'mirror',
  'mirrors',
  'mirrorPercent',
  'mirror_percent',
  'mirrorPercentage',
  'corsPolicy',
  'headers',
] as const satisfies readonly (keyof HTTPRoute)[]

function mergeRule(root: HttpRule, delegate: HttpRule): HttpRule | undefined {
  const matches = mergeMatches(root.matches, delegate.matches)
  if (matches === undefined) return undefined
  const route: HTTPRoute = { ...delegate.route }
  for (const field of INHERITED) {
    if (route[field] === undefined && root.route[field] !== undefined) {
      Object.assign(route, { [field]: root.route[field] })
    }
  }
  const names = [root.route.name, delegate.route.name].filter((name) => name !== undefined && name !== '')
  if (names.length > 0) route.name = names.join('-')
  return { route, matches, origin: delegate.origin }
}

/** Every pair of a root's and a delegate's match; undefined when they conflict. */
function mergeMatches(root: readonly HttpMatch[], delegate: readonly HttpMatch[]): readonly HttpMatch[] | undefined {
  if (delegate.length === 0) return root
  if (root.length === 0) return delegate
  const merged: HttpMatch[] = []
  for (const inner of delegate) {
    // A delegate's match must lie inside some match of the root; with the others it makes no route.
    const pairs = root
      .filter((outer) => !conflicts(outer.match, inner.match))
      .map((outer) => ({ match: mergeMatch(outer.match, inner.match), origin: inner.origin }))
    if (pairs.length === 0) return undefined
    merged.push(...pairs)
  }
  return merged
}

function mergeMatch(root: HTTPMatchRequest, delegate: HTTPMatchRequest): HTTPMatchRequest {
  const merged: HTTPMatchRequest = { ...root, ...delegate }
  const name = [root.name, delegate.name].filter((part) => part !== undefined && part !== '').join('-')
  if (name !== '') merged.name = name
  for (const field of ['headers', 'withoutHeaders', 'queryParams'] as const) {
    if (root[field] !== undefined && delegate[field] !== undefined) {
      merged[field] = { ...root[field], ...delegate[field] }
    }
  }
  if (root.sourceLabels !== undefined && delegate.sourceLabels !== undefined) {
    merged.sourceLabels = { ...root.sourceLabels, ...delegate.sourceLabels }
  }
  return merged
}

function conflicts(root: HTTPMatchRequest, delegate: HTTPMatchRequest): boolean {
  if (root.uri !== undefined && delegate.uri !== undefined) {
    if ((root.ignoreUriCase ?? false) !== (delegate.ignoreUriCase ?? false)) return true
  }
  return (
    (['uri', 'scheme', 'method', 'authority'] as const).some((field) => outside(root[field], delegate[field])) ||
    (['headers', 'withoutHeaders', 'queryParams'] as const).some((field) =>
      Object.entries(root[field] ?? {}).some(([name, match]) => outside(match, delegate[field]?.[name])),
    ) ||
    differs(root.port, delegate.port) ||
    differs(root.sourceNamespace, delegate.sourceNamespace) ||
    differs(root.statPrefix, delegate.statPrefix) ||
    Object.entries(root.sourceLabels ?? {}).some(([key, value]) => differs(value, delegate.sourceLabels?.[key])) ||
    (root.gateways !== undefined && (delegate.gateways ?? []).some((gateway) => !root.gateways?.includes(gateway)))
  )
}

function differs<T>(root: T | undefined, delegate: T | undefined): boolean {
  return root !== undefined && delegate !== undefined && root !== delegate
}

/** Whether what the delegate matches is not part of what the root matches. */
function outside(root: StringMatch | undefined, delegate: StringMatch | undefined): boolean {
  if (root === undefined || delegate === undefined) return false
  if (root.regex !== undefined || delegate.regex !== undefined) return true
  if (root.exact !== undefined) return delegate.exact !== root.exact
  if (root.prefix === undefined) return false
  const inner = delegate.prefix ?? delegate.exact
  return inner === undefined || !inner.startsWith(root.prefix)
}
