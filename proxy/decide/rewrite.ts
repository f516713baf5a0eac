import type { PathRewritePlan, RedirectPlan, RouteMatchPlan } from '../plan/plan.ts'
import type { RequestHead } from '../stream/message.ts'
import { pathname } from './fields.ts'

/**
 * The path to send upstream. A prefix rewrite takes the place of what the route's path specifier matched: the prefix,
 * or the whole path for exact and regex specifiers. The query stays.
 */
export function rewritePath(rewrite: PathRewritePlan, match: RouteMatchPlan, path: string): string {
  const plain = pathname(path)
  const query = path.slice(plain.length)
  if (rewrite.kind === 'regex') return rewrite.regex.replaceAll(plain, rewrite.substitution) + query
  return rewrite.value + plain.slice(matchedLength(match, plain)) + query
}

function matchedLength(match: RouteMatchPlan, plain: string): number {
  const { path } = match
  return path.kind === 'prefix' || path.kind === 'path_separated_prefix' ? path.value.length : plain.length
}

/** The Location of a redirect (envoy.config.route.v3.RedirectAction). */
export function redirectLocation(redirect: RedirectPlan, match: RouteMatchPlan, head: RequestHead): string {
  const scheme = redirect.httpsRedirect ? 'https' : redirect.scheme || head.scheme
  const port = redirect.port === 0 ? '' : `:${redirect.port}`
  const host = redirect.host || hostForRedirect(head, scheme, port !== '')
  return `${scheme}://${host}${port}${redirectPath(redirect, match, head.path)}`
}

/** Keeps the request's host, less a port that the redirect replaces or that the new scheme makes wrong. */
function hostForRedirect(head: RequestHead, scheme: string, replacesPort: boolean): string {
  const { authority } = head
  const colon = authority.lastIndexOf(':')
  if (colon < 0 || authority.endsWith(']')) return authority
  const port = authority.slice(colon)
  const defaultGoesAway =
    scheme !== head.scheme &&
    ((head.scheme === 'http' && port === ':80') || (head.scheme === 'https' && port === ':443'))
  return replacesPort || defaultGoesAway ? authority.slice(0, colon) : authority
}

function redirectPath(redirect: RedirectPlan, match: RouteMatchPlan, path: string): string {
  const plain = pathname(path)
  const query = redirect.stripQuery ? '' : path.slice(plain.length)
  if (redirect.path !== '') return redirect.path.includes('?') ? redirect.path : redirect.path + query
  if (redirect.prefixRewrite !== undefined)
    return redirect.prefixRewrite + plain.slice(matchedLength(match, plain)) + query
  if (redirect.regexRewrite !== undefined) {
    return redirect.regexRewrite.regex.replaceAll(plain, redirect.regexRewrite.substitution) + query
  }
  return plain + query
}
