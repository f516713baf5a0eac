import type { HttpManagerPlan } from '../plan/plan.ts'
import { spells } from '../stream/header-block.ts'
import type { RequestHead } from '../stream/message.ts'
import type { Call } from './call.ts'
import { answer, type Decision } from './decision.ts'
import { hostWithoutPort } from './fields.ts'
import { hasEscapedSlash, normalizePath } from './normalize.ts'
import { isGrpc } from './route.ts'

/**
 * What the connection manager does to a request before anything is matched (envoy.md 2.1, 2.2): checks, path
 * normalisation, forwarding headers, request id. Returns false when the request is answered here.
 */
export function prepareRequest(manager: HttpManagerPlan, call: Call, decision: Decision): boolean {
  const { head } = call
  if (head.minorVersion === 0 && !manager.acceptHttp10) return refuse(head, decision, 426, 'low_version')
  if (!isKnownMethod(head.method) && !manager.allowCustomMethods) {
    decision.body = BAD_REQUEST
    return refuse(head, decision, 400, 'http1.codec_error')
  }
  if (head.path !== '') {
    if (head.path.charCodeAt(0) !== 47) return refuse(head, decision, 404, 'absolute_path_rejected')
    const path = normalizePath(head.path, manager)
    if (path === undefined) return refuse(head, decision, 400, 'path_normalization_failed')
    if (manager.escapedSlashes === 'redirect' && hasEscapedSlash(head.path)) return redirectTo(path, call, decision)
    head.path = path
  } else if (head.method !== 'CONNECT') return refuse(head, decision, 404, 'missing_path_rejected')
  if (manager.stripHostPort) {
    const host = hostWithoutPort(head.authority)
    if (host !== head.authority) {
      head.authority = host
      head.authorityRewritten = true
    }
  }
  removeControlHeaders(head, manager.useRemoteAddress)
  addForwardingHeaders(manager, call)
  const upgrade = head.method === 'CONNECT' ? 'connect' : head.upgrade
  if (upgrade !== '' && !manager.upgrades.has(upgrade)) return refuse(head, decision, 403, 'upgrade_failed')
  return true
}

const BAD_REQUEST = Buffer.from('Bad Request')

/** The methods that Envoy passes unless `allow_custom_methods` is set; their case counts (RFC 9110 section 9.1). */
const KNOWN_METHODS = new Set(
  (
    'ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE MSEARCH NOTIFY ' +
    'OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK ' +
    'UNSUBSCRIBE'
  ).split(' '),
)

function isKnownMethod(method: string): boolean {
  return method === 'GET' || method === 'POST' || KNOWN_METHODS.has(method)
}

/** The answer ends the connection, as in Envoy: who asks so is not trusted with what stands behind. */
function refuse(head: RequestHead, decision: Decision, status: number, detail: string): false {
  head.keepAlive = false
  answer(decision, status, detail, '')
  return false
}

/**
 * UNESCAPE_AND_REDIRECT: the client is to ask again for the path as it is understood. The Location is whole, since one
 * that began with two slashes would name another host.
 */
function redirectTo(path: string, call: Call, decision: Decision): false {
  const { scheme, authority } = call.head
  answer(decision, 307, 'path_normalization_failed', '')
  if (isGrpc(call)) decision.grpcStatus = GRPC_INTERNAL
  else decision.location = `${scheme}://${authority}${path}`
  return false
}

const GRPC_INTERNAL = 13

function addForwardingHeaders(manager: HttpManagerPlan, call: Call): void {
  const { head } = call
  if (manager.useRemoteAddress) {
    if (!manager.skipXffAppend) {
      const peer = hostWithoutPort(call.downstreamAddress)
      const before = head.get('x-forwarded-for')
      head.set('x-forwarded-for', before === undefined ? peer : `${before},${peer}`)
    }
    // The edge knows the scheme; what a client says of it does not count.
    head.set('x-forwarded-proto', head.scheme)
  } else if (!head.has('x-forwarded-proto')) head.append('x-forwarded-proto', head.scheme)
  if (manager.generateRequestId) {
    const isForeign = manager.useRemoteAddress && !manager.preserveExternalRequestId
    if (isForeign) head.set('x-request-id', call.newRequestId())
    else if (!head.has('x-request-id')) head.append('x-request-id', call.newRequestId())
  }
  if (manager.via !== '') {
    const before = head.get('via')
    head.set('via', before === undefined ? manager.via : `${before}, ${manager.via}`)
  }
}

/** Headers that steer a proxy and that no client outside the mesh's own trust may set (envoy.md 2.2). */
const CONTROL_HEADERS = new Set([
  'x-envoy-internal',
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-force-trace',
  'x-envoy-ip-tags',
  'x-envoy-original-url',
  'x-envoy-hedge-on-per-try-timeout',
])
const EDGE_HEADERS = new Set([
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-original-path',
  'x-envoy-original-host',
  'x-envoy-external-address',
])

/** What a peer's certificate says is for whoever has seen the certificate to say (SANITIZE, Envoy's default). */
const CLIENT_CERTIFICATE = 'x-forwarded-client-cert'

function removeControlHeaders(head: RequestHead, isEdge: boolean): void {
  head.remove(CLIENT_CERTIFICATE)
  const { at, count, bytes, base } = head
  for (let i = 0; i < count; i++) {
    const start = at[i << 2] as number
    if ((at[(i << 2) + 1] as number) - start < 10 || !spells(bytes, base + start, 'x-envoy-')) continue
    const name = head.name(i).toLowerCase()
    if (CONTROL_HEADERS.has(name) || (isEdge && EDGE_HEADERS.has(name))) head.removeAt(i)
  }
}
