import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import type {
  AttributeContext,
  AttributeContext_HttpRequest,
} from '../../api/gen/envoy/service/auth/v3/attribute_context_pb.js'
import type { CheckRequest } from '../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import {
  addressIp,
  addressPort,
  apiKey,
  httpProtocol,
  namespaceOf,
  principalOf,
  queryParams,
  ReadBag,
  type Readers,
  serviceAccountOf,
  text,
  timestampMs,
  urlPath,
} from './read.ts'
import { toldAttributes } from './text.ts'
import type { AttributeBag, AttributeTypes, StringMap, Value } from './value.ts'

const NONE: StringMap = Object.freeze({})
const JWT_METADATA = 'envoy.filters.http.jwt_authn'

type Context = AttributeContext

const http = (context: Context) => context.request?.http

function headersOf(request: AttributeContext_HttpRequest | undefined): StringMap {
  if (request === undefined) return NONE
  const raw = request.headerMap?.headers
  if (raw === undefined || raw.length === 0) return request.headers
  const headers: Record<string, string> = Object.create(null)
  for (const { key, value, rawValue } of raw) {
    const one = value === '' ? Buffer.from(rawValue).toString('latin1') : value
    headers[key] = headers[key] === undefined ? one : `${headers[key]},${one}`
  }
  return headers
}

const header = (name: string) => (context: Context) => headersOf(http(context))[name]

/** What a token said that was found good, as the filter for tokens leaves it. */
function claimsOf(context: Context): JsonObject | undefined {
  const found = context.metadataContext?.filterMetadata[JWT_METADATA]
  const payloads = found === undefined ? [] : Object.values(found)
  return payloads.find((one): one is JsonObject => typeof one === 'object' && one !== null && !Array.isArray(one))
}

function claimText(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'string') return value
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value.join(',')
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

function claimMap(claims: JsonObject): StringMap {
  const map: Record<string, string> = Object.create(null)
  for (const [key, value] of Object.entries(claims)) {
    const written = claimText(value)
    if (written !== undefined) map[key] = written
  }
  return map
}

function ifAny(labels: StringMap | undefined): StringMap | undefined {
  return labels === undefined || Object.keys(labels).length === 0 ? undefined : labels
}

const READERS: Readers<Context> = new Map<string, (context: Context) => Value | undefined>([
  ['source.ip', (context) => addressIp(context.source?.address)],
  ['source.principal', (context) => principalOf(context.source?.principal)],
  ['source.user', (context) => principalOf(context.source?.principal)],
  ['source.namespace', (context) => namespaceOf(context.source?.principal)],
  ['source.serviceAccount', (context) => serviceAccountOf(context.source?.principal)],
  ['source.labels', (context) => ifAny(context.source?.labels)],
  ['destination.ip', (context) => addressIp(context.destination?.address)],
  ['destination.port', (context) => addressPort(context.destination?.address)],
  ['destination.principal', (context) => principalOf(context.destination?.principal)],
  ['destination.user', (context) => principalOf(context.destination?.principal)],
  ['destination.namespace', (context) => namespaceOf(context.destination?.principal)],
  ['destination.serviceAccount', (context) => serviceAccountOf(context.destination?.principal)],
  ['destination.labels', (context) => ifAny(context.destination?.labels)],
  ['request.id', (context) => header('x-request-id')(context) ?? text(http(context)?.id)],
  ['request.host', (context) => text(http(context)?.host)],
  ['request.method', (context) => text(http(context)?.method)],
  ['request.path', (context) => text(http(context)?.path)],
  ['request.url_path', (context) => text(urlPath(http(context)?.path))],
  ['request.query_params', (context) => queryParams(http(context)?.path)],
  ['request.headers', (context) => (http(context) === undefined ? undefined : headersOf(http(context)))],
  ['request.referer', header('referer')],
  ['request.useragent', header('user-agent')],
  ['request.scheme', (context) => text(http(context)?.scheme)],
  [
    'request.size',
    (context) => {
      const size = http(context)?.size
      return size === undefined || size < 0n ? undefined : Number(size)
    },
  ],
  ['request.time', (context) => timestampMs(context.request?.time)],
  ['request.api_key', (context) => apiKey(headersOf(http(context)), queryParams(http(context)?.path))],
  [
    'request.auth.principal',
    (context) => {
      const claims = claimsOf(context)
      return claims && `${claimText(claims.iss) ?? ''}/${claimText(claims.sub) ?? ''}`
    },
  ],
  ['request.auth.audiences', (context) => claimText(claimsOf(context)?.aud)],
  ['request.auth.presenter', (context) => claimText(claimsOf(context)?.azp)],
  [
    'request.auth.claims',
    (context) => {
      const claims = claimsOf(context)
      return claims && claimMap(claims)
    },
  ],
  [
    'request.auth.raw_claims',
    (context) => {
      const claims = claimsOf(context)
      return claims && JSON.stringify(claims)
    },
  ],
  ['connection.mtls', (context) => (context.source?.principal ?? '') !== ''],
  ['connection.requested_server_name', (context) => text(context.tlsSession?.sni)],
  ['connection.event', (context) => (http(context) === undefined ? 'open' : undefined)],
  ['context.protocol', (context) => (http(context) === undefined ? 'tcp' : protocolOf(context))],
  ['api.protocol', (context) => (http(context) === undefined ? undefined : protocolOf(context))],
  ['context.time', (context) => timestampMs(context.request?.time)],
  ['context.timestamp', (context) => timestampMs(context.request?.time)],
  ['context.reporter.kind', () => 'inbound'],
])

function protocolOf(context: Context): string {
  return httpProtocol(header('content-type')(context))
}

const NOTHING = {} as Context

/**
 * The attributes of a call that a proxy asks about (envoy.service.auth.v3.CheckRequest). `context_extensions` whose keys are names of
 * attributes, such as `destination.service.host` or `destination.labels[app]`, go before what the message says.
 */
export function checkBag({ attributes = NOTHING }: CheckRequest, types: AttributeTypes): AttributeBag {
  const { contextExtensions } = attributes
  if (contextExtensions === undefined) return new ReadBag(attributes, READERS)
  const entries = Object.entries(contextExtensions)
  return new ReadBag(attributes, READERS, entries.length === 0 ? undefined : toldAttributes(entries, types))
}
