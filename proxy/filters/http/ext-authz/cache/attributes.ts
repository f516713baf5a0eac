import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { parseSpiffeId } from '../../../../../api/spiffe.ts'
import type { Call } from '../../../../decide/call.ts'
import type { Decision } from '../../../../decide/decision.ts'
import { fieldOf, pathname, queryOf } from '../../../../decide/fields.ts'
import { queryValue } from '../../../../plan/matchers.ts'
import { sourcePrincipal } from '../../../ext-authz/peers.ts'
import { type ExtAuthzConfig, isNamed } from '../config.ts'

/**
 * The value that an attribute of the mixer has in a call, as text; undefined for none. Two calls with the same text have the same value:
 * the other way round need not hold, and only costs a question more.
 */
export type AttributeReader = (call: Call, decision: Decision) => string | undefined

const JWT_METADATA = 'envoy.filters.http.jwt_authn'
const NOTHING: AttributeReader = () => undefined

/**
 * What nothing that this filter sends says, whatever the call: it is the same for all calls that are told the same by configuration.
 * `request.id` and the times are not here, since every call has its own.
 */
const NEVER_TOLD = new Set([
  ...sideNames('source', ['labels', 'uid', 'name', 'metadata', 'owner', 'services', 'workload.uid', 'workload.name']),
  ...sideNames('source', ['workload.namespace', 'service', 'service.uid', 'service.name', 'service.namespace']),
  ...sideNames('source', ['service.host']),
  ...sideNames('destination', ['labels', 'uid', 'name', 'metadata', 'owner', 'services', 'workload.uid']),
  ...sideNames('destination', ['workload.name', 'workload.namespace', 'service', 'service.uid', 'service.name']),
  ...sideNames('destination', ['service.namespace', 'service.host', 'container.name']),
  ...sideNames('origin', ['ip', 'uid', 'user']),
  ...sideNames('api', ['service', 'version', 'operation']),
  ...sideNames('response', [
    'code',
    'duration',
    'headers',
    'size',
    'total_size',
    'time',
    'grpc_status',
    'grpc_message',
  ]),
  ...sideNames('connection', ['event', 'id', 'requested_server_name', 'received.bytes', 'received.bytes_total']),
  ...sideNames('connection', ['sent.bytes', 'sent.bytes_total', 'duration']),
  ...sideNames('context', ['reporter.kind', 'reporter.local', 'reporter.uid', 'proxy_version', 'proxy_error_code']),
  ...sideNames('check', ['error_code', 'error_message', 'cache_hit']),
  ...sideNames('rbac.permissive', ['response_code', 'effective_policy_id']),
  'quota.cache_hit',
  'request.reason',
  'request.total_size',
  // The body is not sent where answers are kept.
  'request.size',
])

function sideNames(side: string, names: readonly string[]): string[] {
  return names.map((name) => `${side}.${name}`)
}

const READERS: ReadonlyMap<string, AttributeReader> = new Map<string, AttributeReader>([
  ['source.ip', ({ facts }) => facts.sourceAddress],
  ['source.principal', principal],
  ['source.user', principal],
  ['source.namespace', (call) => parseSpiffeId(principal(call))?.namespace],
  ['source.serviceAccount', (call) => parseSpiffeId(principal(call))?.serviceAccount],
  ['connection.mtls', (call) => (principal(call) === '' ? '' : 'yes')],
  ['destination.ip', ({ facts }) => facts.destinationAddress],
  ['destination.port', ({ facts }) => String(facts.destinationPort)],
  ['destination.principal', ownPrincipal],
  ['destination.user', ownPrincipal],
  ['destination.namespace', ownPrincipal],
  ['destination.serviceAccount', ownPrincipal],
  ['request.host', ({ head }) => head.authority],
  ['request.method', ({ head }) => head.method],
  ['request.path', ({ head }) => head.path],
  ['request.url_path', ({ head }) => pathname(head.path)],
  // A query without parameters is there too.
  ['request.query_params', ({ head }) => (head.path.includes('?') ? queryOf(head.path) : undefined)],
  ['request.scheme', ({ head }) => head.scheme],
  ['request.auth.principal', (_call, decision) => textOf([claim(decision, 'iss'), claim(decision, 'sub')])],
  ['request.auth.audiences', (_call, decision) => textOf(claim(decision, 'aud'))],
  ['request.auth.presenter', (_call, decision) => textOf(claim(decision, 'azp'))],
  ['request.auth.claims', (_call, decision) => textOf(claimsOf(decision))],
  ['request.auth.raw_claims', (_call, decision) => textOf(claimsOf(decision))],
])

/** Attributes that are one header, or made of some. */
const OF_HEADERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['request.referer', ['referer']],
  ['request.useragent', ['user-agent']],
  ['context.protocol', ['content-type']],
  ['api.protocol', ['content-type']],
])

/**
 * How `name`, as the mixer writes it (`source.ip`, `request.headers[cookie]`), is read of calls that this configuration asks about.
 * undefined where that cannot be done: a name that is not known, or whose value is another in every call.
 */
export function attributeReader(
  name: string,
  config: ExtAuthzConfig,
  extensions: Readonly<Record<string, string>>,
): AttributeReader | undefined {
  const open = name.indexOf('[')
  const base = open > 0 && name.endsWith(']') ? name.slice(0, open) : name
  const key = base === name ? undefined : name.slice(open + 1, -1)
  if (base === 'request.headers') return key === undefined ? undefined : header(key, config)
  if (base === 'request.query_params' && key !== undefined) return ({ head }) => parameter(queryOf(head.path), key)
  if (base === 'request.auth.claims' && key !== undefined) return (_call, decision) => textOf(claim(decision, key))
  if (base === 'request.api_key') {
    const inHeader = header('x-api-key', config)
    return (call, decision) => {
      const value = inHeader(call, decision)
      return value === undefined ? queryOf(call.head.path) : `${queryOf(call.head.path)}\n${value}`
    }
  }
  const known = READERS.get(base)
  if (known !== undefined) return known
  const headers = OF_HEADERS.get(base)
  if (headers !== undefined) return header(headers[0] as string, config)
  return NEVER_TOLD.has(base) || isTold(base, extensions) ? NOTHING : undefined
}

/** As the mixer reads it: decoded, and of those that come more than once the first. */
function parameter(query: string, name: string): string | undefined {
  if (!query.includes('%') && !query.includes('+')) return queryValue(query, name)
  return new URLSearchParams(query).get(name) ?? undefined
}

/** Whether configuration says it: then it is the same wherever that is the same. */
function isTold(base: string, extensions: Readonly<Record<string, string>>): boolean {
  return Object.keys(extensions).some((told) => told === base || told.startsWith(`${base}[`))
}

/** What is not sent is absent, whatever the call has. */
function header(name: string, { allowedHeaders, disallowedHeaders }: ExtAuthzConfig): AttributeReader {
  const lower = name.toLowerCase()
  if (lower === 'host') return NOTHING
  if (allowedHeaders !== undefined && !isNamed(lower, allowedHeaders)) return NOTHING
  if (disallowedHeaders !== undefined && isNamed(lower, disallowedHeaders)) return NOTHING
  return ({ head }) => fieldOf(head, lower)
}

function principal({ facts }: Call): string {
  return sourcePrincipal(facts)
}

function ownPrincipal({ facts }: Call): string | undefined {
  return facts.tls?.localUris[0]
}

/** What a token said that was found good: of more than one, all. */
function claimsOf(decision: Decision): JsonObject | undefined {
  return decision.metadata?.get(JWT_METADATA)
}

/** A claim in each of the tokens. */
function claim(decision: Decision, name: string): JsonValue | undefined {
  const tokens = claimsOf(decision)
  if (tokens === undefined) return undefined
  return Object.values(tokens).map((one) =>
    typeof one === 'object' && one !== null && !Array.isArray(one) && Object.hasOwn(one, name)
      ? (one[name] as JsonValue)
      : null,
  )
}

function textOf(value: JsonValue | undefined | readonly (JsonValue | undefined)[]): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value)
}
