import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import type { LimitPatch, PatchContext } from '../../../config/envoy-filter/patch.ts'
import { parseDurationMs } from '../../../crds/duration.ts'
import type { StringMatch } from '../../../crds/kinds/common.ts'
import type { RateLimitKey, RateLimitMatch, RateLimitSpec, RequestLimit } from '../../../crds/kinds/rate-limit.ts'

/**
 * A RateLimit as the filters that it becomes: Envoy's local_ratelimit, one for each limit, in the place where a call has been
 * authorized, so that who may not call takes no tokens from those who may.
 */
export function rateLimitPatches(spec: RateLimitSpec, name: string): LimitPatch[] {
  return spec.limits.flatMap((limit, i) => {
    const filterName = `rate_limit.${name}.${i}`
    return contextsOf(limit).map((context) => ({
      kind: 'http_filter' as const,
      context,
      path: ['spec', 'limits', i],
      listener: undefined,
      port: limit.port,
      place: { side: 'before' as const, of: CORS },
      name: filterName,
      value: {
        name: 'envoy.filters.http.local_ratelimit',
        typed_config: { '@type': TYPE, ...filterConfig(limit, filterName) },
      },
    }))
  })
}

const CORS = 'envoy.filters.http.cors'
const TYPE = 'type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit'
const EXPRESSION = 'type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor'
const ALWAYS = { default_value: { numerator: 100 } }
/** How many callers a proxy tells apart at least. */
const MAX_CALLERS = 1_000
/** The value of what a call does not have. */
const ABSENT = '-'

/** What comes to a gateway is what it is called with. */
function contextsOf({ direction = 'INBOUND' }: RequestLimit): readonly PatchContext[] {
  return direction === 'INBOUND' ? ['SIDECAR_INBOUND', 'GATEWAY'] : ['SIDECAR_OUTBOUND']
}

function filterConfig(limit: RequestLimit, statPrefix: string): JsonObject {
  const { requests, burst = requests, per, by = [], match, dryRun = false } = limit
  const bucket = {
    max_tokens: burst,
    tokens_per_fill: requests,
    fill_interval: `${(parseDurationMs(per) ?? 0) / 1000}s`,
  }
  const common = {
    stat_prefix: statPrefix,
    filter_enabled: ALWAYS,
    ...(!dryRun && { filter_enforced: ALWAYS }),
    enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
  }
  const matched = match === undefined ? [] : matchActions(match)
  if (by.length === 0 && matched.length === 0) return { ...common, token_bucket: bucket }
  const entries = [
    ...matched.map(() => ({ key: 'match', value: 'yes' })),
    // Without a value there is a bucket for each.
    ...by.map((key) => ({ key: keyName(key) })),
  ]
  const variants = by.reduce<JsonObject[][]>(
    (lists, key) => keyActions(key).flatMap((action) => lists.map((list) => [...list, action])),
    [matched],
  )
  return {
    ...common,
    rate_limits: variants.map((actions) => ({ actions })),
    descriptors: [{ entries, token_bucket: bucket }],
    ...(by.length > 0 && { max_dynamic_descriptors: MAX_CALLERS }),
  }
}

// === who is counted together ===

function keyName({ header, queryParameter, peer, path }: RateLimitKey): string {
  if (header !== undefined) return `header:${header.toLowerCase()}`
  if (queryParameter !== undefined) return `query:${queryParameter}`
  if (peer === true) return 'peer'
  return path === true ? 'path' : 'remote_address'
}

/** One for calls that have it, and where there may be such without, one for these: they are counted together. */
function keyActions(key: RateLimitKey): JsonObject[] {
  const name = keyName(key)
  const { header, queryParameter, peer, path } = key
  if (header !== undefined) {
    const absent = { descriptor_key: name, descriptor_value: ABSENT, headers: [{ name: header, present_match: false }] }
    return [{ request_headers: { header_name: header, descriptor_key: name } }, { header_value_match: absent }]
  }
  if (queryParameter !== undefined) {
    const query = [{ name: queryParameter, present_match: true }]
    const absent = { descriptor_key: name, descriptor_value: ABSENT, expect_match: false, query_parameters: query }
    return [
      { query_parameters: { query_parameter_name: queryParameter, descriptor_key: name } },
      { query_parameter_value_match: absent },
    ]
  }
  if (peer === true) return [expression(name, `connection.mtls ? connection.uri_san_peer_certificate : "${ABSENT}"`)]
  return [path === true ? expression(name, 'request.url_path') : { remote_address: {} }]
}

function expression(key: string, text: string): JsonObject {
  const config = { '@type': EXPRESSION, descriptor_key: key, text }
  return { extension: { name: 'envoy.rate_limit_descriptors.expr', typed_config: config } }
}

// === what counts ===

function matchActions({ paths = [], methods = [], headers = {} }: RateLimitMatch): JsonObject[] {
  const matchers: JsonObject[] = []
  if (paths.length > 0) matchers.push(matcher(':path', regex(`(?:${paths.map(pathPattern).join('|')})`)))
  if (methods.length > 0) matchers.push(matcher(':method', regex(methods.map(escapeRegex).join('|'))))
  for (const [name, value] of Object.entries(headers)) matchers.push(matcher(name, stringMatch(value)))
  if (matchers.length === 0) return []
  return [{ header_value_match: { descriptor_key: 'match', descriptor_value: 'yes', headers: matchers } }]
}

/** `:path` has the query too. */
function pathPattern(path: string): string {
  return path.endsWith('*') ? `${escapeRegex(path.slice(0, -1))}.*` : `${escapeRegex(path)}(?:\\?.*)?`
}

function matcher(name: string, match: JsonValue | undefined): JsonObject {
  return match === undefined ? { name, present_match: true } : { name, string_match: match }
}

function stringMatch({ exact, prefix, regex: pattern }: StringMatch): JsonObject | undefined {
  if (exact !== undefined) return { exact }
  if (prefix !== undefined) return { prefix }
  return pattern === undefined || pattern === '*' ? undefined : regex(pattern)
}

function regex(pattern: string): JsonObject {
  return { safe_regex: { regex: pattern } }
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
