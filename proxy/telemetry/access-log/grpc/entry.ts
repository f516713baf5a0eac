import type { ResponseFlag } from '../../../../api/response-flags.ts'
import type { ConnectionFacts } from '../../../decide/connection-facts.ts'
import type { ClusterPlan, EndpointPlan, RoutePlan } from '../../../plan/plan.ts'
import type { PeerIdentity } from '../../../tls/peer.ts'
import { CallRecord } from '../../call-record.ts'
import { headBytes, type Subject } from '../../cel/attributes.ts'
import type { ConnectionRecord } from '../../connection-record.ts'
import { trailerField } from '../../trailer-field.ts'
import { WireWriter } from '../../wire-writer.ts'
import { bytesOf } from '../escape.ts'
import type { ReadValue } from '../operator.ts'
import { requestField } from '../operators.ts'

/*
 * envoy.data.accesslog.v3, written as bytes: an object for each message of each call would cost more than all else that is
 * done for the entry. Numbers are those of the fields in its protos.
 */

/** What is told of every call beside what Envoy always tells; names in lower case. */
export interface EntryOptions {
  readonly requestHeaders: readonly string[]
  readonly responseHeaders: readonly string[]
  readonly responseTrailers: readonly string[]
  readonly tags: readonly EntryTag[]
}

export interface EntryTag {
  readonly name: string
  readonly read: ReadValue
}

const METHODS: Readonly<Record<string, number>> = {
  GET: 1,
  HEAD: 2,
  POST: 3,
  PUT: 4,
  DELETE: 5,
  CONNECT: 6,
  OPTIONS: 7,
  TRACE: 8,
  PATCH: 9,
}
const HTTP_VERSION = { http10: 1, http11: 2, http2: 3 } as const
const TLS_VERSIONS: Readonly<Record<string, number>> = { TLSv1: 1, 'TLSv1.1': 2, 'TLSv1.2': 3, 'TLSv1.3': 4 }
/** AccessLogType. */
const TYPE = { tcpConnectionEnd: 3, downstreamEnd: 6 } as const
/** ResponseFlags.Unauthorized. */
const UNAUTHORIZED = { field: 13, reason: 1, externalService: 1 } as const

/** The fields of ResponseFlags. */
const FLAG_FIELDS: Partial<Record<string, number>> = {
  LH: 1,
  UH: 2,
  UT: 3,
  LR: 4,
  UR: 5,
  UF: 6,
  UC: 7,
  UO: 8,
  NR: 9,
  DI: 10,
  FI: 11,
  RL: 12,
  RLSE: 14,
  DC: 15,
  URX: 16,
  SI: 17,
  IH: 18,
  DPE: 19,
  UMSDR: 20,
  DT: 23,
  UPE: 24,
  NC: 25,
  OM: 26,
}

/** An HTTPAccessLogEntry as field 1 of what is being written. */
export function writeHttpEntry(out: WireWriter, record: CallRecord, options: EntryOptions): void {
  const { head } = record
  const entry = out.begin(1)
  writeCommon(out, record, options)
  out.number(2, head.isHttp2 ? HTTP_VERSION.http2 : head.minorVersion === 0 ? HTTP_VERSION.http10 : HTTP_VERSION.http11)
  writeRequest(out, record, options)
  writeResponse(out, record, options)
  out.end(entry)
}

/** A TCPAccessLogEntry as field 1 of what is being written. */
export function writeTcpEntry(out: WireWriter, record: ConnectionRecord, options: EntryOptions): void {
  const entry = out.begin(1)
  writeCommon(out, record, options)
  const connection = out.begin(2)
  out.number(1, record.receivedBytes)
  out.number(2, record.sentBytes)
  out.end(connection)
  out.end(entry)
}

function writeCommon(out: WireWriter, record: Subject, { tags }: EntryOptions): void {
  const { facts, host, cluster } = record
  const isCall = record instanceof CallRecord
  const common = out.begin(1)
  out.raw(isCall ? CALL_CONSTANTS : CONNECTION_CONSTANTS)
  const client = isCall ? record.decision.clientAddress : ''
  if (client !== '') writeAddress(out, 2, client, 0)
  else out.raw(kept(SOURCES, facts, writeSource))
  out.raw(kept(CONNECTIONS, facts, writeConnection))
  out.time(5, record.startWallMs)
  if (isCall) writeTimes(out, record)
  writeSince(out, 12, record.startMs, record.endMs)
  if (host !== undefined) out.raw(kept(ENDPOINTS, host.plan, writeEndpoint))
  if (cluster !== undefined) out.raw(kept(CLUSTERS, cluster.plan, writeCluster))
  writeFlags(out, record)
  if (isCall && record.decision.route !== undefined) out.raw(kept(ROUTES, record.decision.route, writeRoute))
  for (let i = 0; i < tags.length; i++) {
    const { name, read } = tags[i] as EntryTag
    const value = read(record)
    if (value !== undefined) out.entry(22, name, typeof value === 'string' ? value : String(value))
  }
  writeSince(out, 23, record.startMs, record.endMs)
  out.number(24, record.tries)
  if (isCall) out.text(26, record.head.get('x-request-id'))
  out.end(common)
}

/** As the operators of text logs have them (times.ts). */
function writeTimes(out: WireWriter, record: CallRecord): void {
  const { startMs, requestEndMs, upstreamStartMs, responseMs, endMs, isUpstreamAnswer } = record
  writeSince(out, 6, startMs, requestEndMs)
  writeSince(out, 7, startMs, upstreamStartMs)
  if (upstreamStartMs !== 0 && requestEndMs !== 0) writeSince(out, 8, startMs, Math.max(upstreamStartMs, requestEndMs))
  if (isUpstreamAnswer) {
    writeSince(out, 9, startMs, responseMs)
    writeSince(out, 10, startMs, endMs)
  }
  writeSince(out, 11, startMs, responseMs)
}

// --- what is the same for many entries is written once ---

const SOURCES = new WeakMap<ConnectionFacts, Uint8Array>()
const CONNECTIONS = new WeakMap<ConnectionFacts, Uint8Array>()
const ENDPOINTS = new WeakMap<EndpointPlan, Uint8Array>()
const CLUSTERS = new WeakMap<ClusterPlan, Uint8Array>()
const ROUTES = new WeakMap<RoutePlan, Uint8Array>()
const scratch = new WireWriter(1024)

/** That each is one of one, and what kind of entry it is. */
function constants(type: number): Uint8Array {
  const out = new WireWriter(64)
  out.double(1, 1)
  out.number(33, type)
  return out.copy()
}
const CALL_CONSTANTS = constants(TYPE.downstreamEnd)
const CONNECTION_CONSTANTS = constants(TYPE.tcpConnectionEnd)

function kept<Of extends object>(
  known: WeakMap<Of, Uint8Array>,
  of: Of,
  write: (out: WireWriter, of: Of) => void,
): Uint8Array {
  let bytes = known.get(of)
  if (bytes === undefined) {
    scratch.cut(0)
    write(scratch, of)
    bytes = scratch.copy()
    known.set(of, bytes)
  }
  return bytes
}

function writeSource(out: WireWriter, { sourceAddress, sourcePort }: ConnectionFacts): void {
  writeAddress(out, 2, sourceAddress, sourcePort)
}

function writeConnection(out: WireWriter, facts: ConnectionFacts): void {
  writeAddress(out, 3, facts.destinationAddress, facts.destinationPort)
  if (facts.tls !== undefined) writeTls(out, facts, facts.tls)
  writeAddress(out, 20, facts.directSourceAddress, facts.sourcePort)
}

function writeEndpoint(out: WireWriter, { address, port, unixPath }: EndpointPlan): void {
  if (unixPath === '') writeAddress(out, 13, address, port)
}

function writeCluster(out: WireWriter, { name }: ClusterPlan): void {
  out.text(15, bytesOf(name))
}

function writeRoute(out: WireWriter, { name }: RoutePlan): void {
  out.text(19, bytesOf(name))
}

/** envoy.config.core.v3.Address of a socket. */
function writeAddress(out: WireWriter, field: number, ip: string, port: number): void {
  if (ip === '') return
  const address = out.begin(field)
  const socket = out.begin(1)
  out.text(2, ip)
  out.number(3, port)
  out.end(socket)
  out.end(address)
}

/** How long after the start something happened, where it did. */
function writeSince(out: WireWriter, field: number, startMs: number, atMs: number): void {
  if (atMs !== 0 && atMs >= startMs) out.time(field, atMs - startMs)
}

function writeFlags(out: WireWriter, record: Subject): void {
  if (!(record instanceof CallRecord)) {
    if (record.flag === '') return
    const flags = out.begin(16)
    writeFlag(out, record.flag)
    out.end(flags)
    return
  }
  const all = record.flags
  if (all.length === 0) return
  const flags = out.begin(16)
  for (let i = 0; i < all.length; i++) writeFlag(out, all[i] as ResponseFlag)
  out.end(flags)
}

function writeFlag(out: WireWriter, flag: ResponseFlag): void {
  const field = FLAG_FIELDS[flag]
  if (field !== undefined) out.flag(field, true)
  else if (flag === 'UAEX') {
    const details = out.begin(UNAUTHORIZED.field)
    out.number(UNAUTHORIZED.reason, UNAUTHORIZED.externalService)
    out.end(details)
  }
}

function writeTls(out: WireWriter, facts: ConnectionFacts, tls: NonNullable<ConnectionFacts['tls']>): void {
  const properties = out.begin(4)
  out.number(1, TLS_VERSIONS[tls.version] ?? 0)
  out.text(3, tls.serverName || facts.serverName)
  const local = out.begin(4)
  for (const uri of tls.localUris) writeUri(out, uri)
  out.end(local)
  if (tls.peer !== undefined) writePeer(out, tls.peer)
  out.end(properties)
}

function writePeer(out: WireWriter, { altNames, subject }: PeerIdentity): void {
  const peer = out.begin(5)
  for (const { type, value } of altNames) {
    if (type === 'uri') writeUri(out, value)
    else if (type === 'dns') {
      const name = out.begin(1)
      out.text(2, bytesOf(value))
      out.end(name)
    }
  }
  out.text(2, subject)
  out.end(peer)
}

function writeUri(out: WireWriter, uri: string): void {
  const name = out.begin(1)
  out.text(1, bytesOf(uri))
  out.end(name)
}

function writeRequest(out: WireWriter, record: CallRecord, { requestHeaders }: EntryOptions): void {
  const { head } = record
  const request = out.begin(3)
  out.number(1, METHODS[head.method] ?? 0)
  out.text(2, head.scheme)
  out.text(3, requestField(record, ':authority'))
  out.text(5, requestField(record, ':path'))
  out.text(6, head.get('user-agent'))
  out.text(7, head.get('referer'))
  out.text(8, head.get('x-forwarded-for'))
  out.text(9, head.get('x-request-id'))
  out.text(10, head.get('x-envoy-original-path'))
  out.number(11, headBytes(record))
  out.number(12, record.receivedBytes)
  for (let i = 0; i < requestHeaders.length; i++) {
    const name = requestHeaders[i] as string
    const value = requestField(record, name)
    if (value !== undefined) out.entry(13, name, value)
  }
  out.end(request)
}

function writeResponse(out: WireWriter, record: CallRecord, options: EntryOptions): void {
  const { responseHeaders, responseTrailers } = options
  const response = out.begin(4)
  if (record.status > 0) {
    const code = out.begin(1)
    out.number(1, record.status)
    out.end(code)
  }
  out.number(3, record.sentBytes)
  for (let i = 0; i < responseHeaders.length; i++) {
    const name = responseHeaders[i] as string
    const value = record.responseField(name)
    if (value !== undefined) out.entry(4, name, value)
  }
  for (let i = 0; i < responseTrailers.length; i++) {
    const name = responseTrailers[i] as string
    const value = record.trailers === '' ? undefined : trailerField(record.trailers, name)
    if (value !== undefined) out.entry(5, name, value)
  }
  out.text(6, record.detail)
  out.end(response)
}
