import type { HttpManagerPlan } from '../plan/plan.ts'
import type { RequestHead } from '../stream/message.ts'
import type { Call } from './call.ts'
import { answer, type Decision } from './decision.ts'
import { hostWithoutPort } from './fields.ts'
import { readForwarding } from './forwarding.ts'
import { hasEscapedSlash, normalizePath } from './normalize.ts'
import { isGrpc } from './route.ts'

/**
 * What the connection manager does to a request before anything is matched (envoy.md 2.1, 2.2): checks, path
 * normalisation, forwarding headers, request id. Returns false when the request is answered here.
 */
export function prepareRequest(manager: HttpManagerPlan, call: Call, decision: Decision): boolean {
  const { head } = call
  if (head.minorVersion === 0 && !manager.acceptHttp10) return refuse(head, decision, 426, 'low_version', 'DPE')
  if (!isKnownMethod(head.method) && !manager.allowCustomMethods) {
    decision.body = BAD_REQUEST
    return refuse(head, decision, 400, 'http1.codec_error', 'DPE')
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
  readForwarding(manager, call, decision)
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
function refuse(
  head: RequestHead,
  decision: Decision,
  status: number,
  detail: string,
  flag: Decision['flag'] = '',
): false {
  head.keepAlive = false
  answer(decision, status, detail, flag)
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
