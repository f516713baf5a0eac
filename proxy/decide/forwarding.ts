import { canonicalIp } from '../../lib/ip.ts'
import { trimWhitespace } from '../http1/field-parser.ts'
import type { HttpManagerPlan } from '../plan/plan.ts'
import { sharedField } from '../stream/field-batch.ts'
import { type HeaderBlock, spells } from '../stream/header-block.ts'
import type { RequestHead } from '../stream/message.ts'
import type { Call } from './call.ts'
import type { Caller } from './caller.ts'
import { forwardClientCertificate } from './client-certificate.ts'
import type { Decision } from './decision.ts'
import { wholeNumber } from './fields.ts'

/**
 * Who the client is, from where its request comes, and what is therefore believed of its headers (Envoy's
 * ConnectionManagerUtility::mutateRequestHeaders; "HTTP header manipulation" in its documentation).
 *
 * With `use_remote_address` the peer is the client, or, behind `xff_num_trusted_hops` proxies, whom the last but so many of
 * them wrote into X-Forwarded-For. Without, it is the last entry before those of so many proxies. An entry that is missing
 * or no address leaves it at the peer.
 */
export function readForwarding(manager: HttpManagerPlan, call: Call, decision: Decision): void {
  const { head } = call
  const { useRemoteAddress, xffNumTrustedHops: hops } = manager
  const list = head.get(FORWARDED_FOR)
  const isRead = list !== undefined && (!useRemoteAddress || hops > 0)
  const address = isRead ? forwardedAddress(list, useRemoteAddress ? hops - 1 : hops) : ''
  decision.clientAddress = address
  const peer = useRemoteAddress || manager.internalAddresses !== undefined ? call.facts.sourceAddress : ''
  const isInternal = mayBeInternal(manager, list, address) && manager.internalAddresses?.find(address || peer) === true
  // What comes from inside was looked at when it came in; without the peer's address nobody knows that this is an edge.
  const isEdge = useRemoteAddress && !isInternal
  forwardClientCertificate(manager.clientCertificate, head, call.facts.tls)
  const { caller } = decision
  caller.isTrusted = isInternal || call.facts.tls?.isPeerVerified === true
  readControlHeaders(head, caller, isInternal, isEdge)
  if (useRemoteAddress && !manager.skipXffAppend && peer !== '') {
    head.set(FORWARDED_FOR, list === undefined ? peer : `${list},${peer}`)
  }
  readScheme(head, useRemoteAddress && hops === 0)
  if (isInternal) head.append('x-envoy-internal', 'true')
  if (isEdge && (address !== '' || peer !== '')) head.append('x-envoy-external-address', address || peer)
  if (manager.generateRequestId) {
    const isOurs = isEdge && !manager.preserveExternalRequestId
    if (isOurs) head.remove(REQUEST_ID)
    if (isOurs || !head.has(REQUEST_ID)) call.addRequestId(head)
  }
  if (manager.via !== '') {
    const before = head.get('via')
    head.set('via', before === undefined ? manager.via : `${before}, ${manager.via}`)
  }
}

const FORWARDED_FOR = 'x-forwarded-for'
const FORWARDED_PROTO = 'x-forwarded-proto'
const PROTO_HTTP = sharedField(FORWARDED_PROTO, 'http')
const PROTO_HTTPS = sharedField(FORWARDED_PROTO, 'https')
const REQUEST_ID = 'x-request-id'
const EXPECTED_TIMEOUT = 'x-envoy-expected-rq-timeout-ms'
const ATTEMPT_COUNT = 'x-envoy-attempt-count'

/**
 * The entry of an X-Forwarded-For before the last `skip`, in the canonical form; '' when there is none, or it is no address
 * (Envoy's Http::Utility::getLastAddressFromXFF).
 */
export function forwardedAddress(list: string, skip: number): string {
  let end = list.length
  for (let i = 0; i < skip; i++) {
    end = commaBefore(list, end)
    if (end < 0) return ''
  }
  return canonicalIp(trimWhitespace(list.slice(commaBefore(list, end) + 1, end)))
}

function commaBefore(list: string, end: number): number {
  return end === 0 ? -1 : list.lastIndexOf(',', end - 1)
}

/**
 * Whether nobody but the client itself speaks for its address: with `use_remote_address` when there is no X-Forwarded-For, else
 * when it is this address alone.
 */
function mayBeInternal(manager: HttpManagerPlan, list: string | undefined, address: string): boolean {
  if (manager.useRemoteAddress) return list === undefined
  return address !== '' && manager.xffNumTrustedHops === 0 && list?.includes(',') === false
}

/** An edge knows the scheme, unless there are proxies in front of it; else what X-Forwarded-Proto says is believed. */
function readScheme(head: RequestHead, isFirst: boolean): void {
  if (isFirst) head.remove(FORWARDED_PROTO)
  if (!isFirst && head.has(FORWARDED_PROTO)) head.scheme = forwardedScheme(head) || head.scheme
  else if (head.scheme === 'http') head.appendOf(PROTO_HTTP)
  else if (head.scheme === 'https') head.appendOf(PROTO_HTTPS)
  else head.append(FORWARDED_PROTO, head.scheme)
}

function forwardedScheme(head: HeaderBlock): 'http' | 'https' | '' {
  const { at, bytes, base } = head
  const i = head.find(FORWARDED_PROTO)
  if (i < 0 || head.find(FORWARDED_PROTO, i + 1) >= 0) return ''
  const start = at[(i << 2) + 2] as number
  const length = (at[(i << 2) + 3] as number) - start
  if (length === 4 && spells(bytes, base + start, 'http')) return 'http'
  return length === 5 && spells(bytes, base + start, 'https') ? 'https' : ''
}

/** Headers that steer a proxy: obeyed when they come from inside, and nobody else may set them. */
const STEERING_HEADERS = new Set([
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-hedge-on-per-try-timeout',
])
/** What proxies say to each other, and no client outside the mesh's own trust may say. */
const INTERNAL_HEADERS = new Set([EXPECTED_TIMEOUT, 'x-envoy-force-trace', 'x-envoy-ip-tags', 'x-envoy-original-url'])
const EDGE_HEADERS = new Set([
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-original-path',
  'x-envoy-original-host',
  'x-envoy-external-address',
])

/** Reads what callers say to proxies, and removes what this one may not say. */
function readControlHeaders(head: RequestHead, caller: Caller, isInternal: boolean, isEdge: boolean): void {
  const { at, count, bytes, base } = head
  for (let i = 0; i < count; i++) {
    const start = at[i << 2] as number
    if ((at[(i << 2) + 1] as number) - start < 10 || !spells(bytes, base + start, 'x-envoy-')) continue
    const name = head.name(i).toLowerCase()
    if (caller.isTrusted) {
      if (name === EXPECTED_TIMEOUT) caller.timeoutMs = wholeNumber(head.value(i)) ?? 0
      else if (name === ATTEMPT_COUNT) caller.attempt = wholeNumber(head.value(i)) ?? 0
    }
    if (name === 'x-envoy-internal') head.removeAt(i)
    else if (STEERING_HEADERS.has(name)) {
      if (isInternal) caller.steers = true
      else head.removeAt(i)
    } else if (!isInternal && INTERNAL_HEADERS.has(name)) head.removeAt(i)
    else if (isEdge && EDGE_HEADERS.has(name)) head.removeAt(i)
  }
}
