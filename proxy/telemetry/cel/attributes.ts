import type { RESPONSE_FLAGS, ResponseFlag } from '../../../api/response-flags.ts'
import { destinationText, sourceText } from '../../decide/connection-facts.ts'
import type { NodeFacts } from '../../node-facts.ts'
import type { HeaderBlock } from '../../stream/header-block.ts'
import type { RequestHead } from '../../stream/message.ts'
import type { CallRecord } from '../call-record.ts'
import type { ConnectionRecord } from '../connection-record.ts'
import { trailerField } from '../trailer-field.ts'
import { Duration, type FieldMap, ofJson, Timestamp } from './value.ts'

/** What an expression is asked about. */
export type Subject = CallRecord | ConnectionRecord

/** An attribute's value; undefined where it is not known. */
export type Attribute = (subject: Subject, node: NodeFacts) => unknown

/** Values of LegacyResponseFlags in Envoy's stream info: what `response.flags` has a bit for. */
const FLAG_BITS: Partial<Record<string, number>> = {
  LH: 0x1,
  UH: 0x2,
  UT: 0x4,
  LR: 0x8,
  UR: 0x10,
  UF: 0x20,
  UC: 0x40,
  UO: 0x80,
  NR: 0x100,
  DI: 0x200,
  FI: 0x400,
  RL: 0x800,
  UAEX: 0x1000,
  RLSE: 0x2000,
  DC: 0x4000,
  URX: 0x8000,
  SI: 0x1_0000,
  IH: 0x2_0000,
  DPE: 0x4_0000,
  UMSDR: 0x8_0000,
  DT: 0x40_0000,
  UPE: 0x80_0000,
  NC: 0x100_0000,
  OM: 0x200_0000,
} satisfies Partial<Record<string, number>> & Partial<Record<keyof typeof RESPONSE_FLAGS, number>>

function flagBits(flags: readonly (ResponseFlag | '')[]): number {
  let bits = 0
  for (const flag of flags) bits |= FLAG_BITS[flag] ?? 0
  return bits
}

/** The fields of a block as a map; names are asked for in lower case. */
class BlockMap implements FieldMap {
  readonly isFieldMap = true
  readonly #block: HeaderBlock

  constructor(block: HeaderBlock) {
    this.#block = block
  }

  get(key: string): string | undefined {
    return this.#block.get(key.toLowerCase())
  }

  keys(): string[] {
    return [...new Set([...this.#block.fields()].map(([name]) => name.toLowerCase()))]
  }
}

/** What of an answer is kept: no more can be asked than names that were known when the expression was compiled. */
class ResponseMap implements FieldMap {
  readonly isFieldMap = true
  readonly #record: CallRecord

  constructor(record: CallRecord) {
    this.#record = record
  }

  get(key: string): string | undefined {
    return this.#record.responseField(key.toLowerCase())
  }

  keys(): string[] {
    return []
  }
}

class TrailerMap implements FieldMap {
  readonly isFieldMap = true
  readonly #lines: string

  constructor(lines: string) {
    this.#lines = lines
  }

  get(key: string): string | undefined {
    return trailerField(this.#lines, key.toLowerCase())
  }

  keys(): string[] {
    return this.#lines
      .split('\r\n')
      .filter((line) => line !== '')
      .map((line) => line.slice(0, line.indexOf(':')).toLowerCase())
  }
}

const ofCall =
  (read: (record: CallRecord) => unknown): Attribute =>
  (subject) =>
    subject.isCall ? read(subject) : undefined

const ofAny = (read: Attribute): Attribute => read

function queryStart(path: string): number {
  const at = path.indexOf('?')
  return at < 0 ? path.length : at
}

function requestSize(record: CallRecord): number {
  const length = record.head.get('content-length')
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : record.receivedBytes
}

/** As Envoy counts a message's fields: the texts of names and values, those of the start line among them. */
export function headBytes(head: RequestHead): number {
  let bytes = ':method:path:scheme:authority'.length
  bytes += head.method.length + head.path.length + head.scheme.length + head.authority.length
  bytes += head.textLength
  const { hostIndex } = head
  if (hostIndex < 0 || head.isRemoved(hostIndex)) return bytes
  const saysAuthority = !head.authorityRewritten && !head.isHttp2
  return bytes - 'host'.length - (saysAuthority ? head.authority.length : head.valueLength(hostIndex))
}

function grpcStatus(record: CallRecord): number | undefined {
  const text = trailerField(record.trailers, 'grpc-status') ?? record.responseField('grpc-status')
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

export function protocolOf({ head }: CallRecord): string {
  if (head.isHttp2) return 'HTTP/2'
  return head.minorVersion === 0 ? 'HTTP/1.0' : 'HTTP/1.1'
}

const peer = (subject: Subject) => subject.facts.tls?.peer
const sanOf = (subject: Subject, type: string) => peer(subject)?.altNames.find((name) => name.type === type)?.value

/** The node as the bootstrap has it. */
function nodeOf(_subject: Subject, { id, cluster, metadata, zone }: NodeFacts): unknown {
  return { id, cluster, metadata: ofJson(metadata), locality: { zone } }
}

/** Envoy's attributes (envoy: Attributes). What Envoy knows and we do not is not there, and fails whoever asks for it. */
export const ATTRIBUTES: Readonly<Record<string, Attribute>> = {
  'request.path': ofCall(({ head }) => head.path),
  'request.url_path': ofCall(({ head: { path } }) => path.slice(0, queryStart(path))),
  'request.query': ofCall(({ head: { path } }) => path.slice(queryStart(path) + 1)),
  'request.host': ofCall(({ head }) => head.authority),
  'request.scheme': ofCall(({ head }) => head.scheme),
  'request.method': ofCall(({ head }) => head.method),
  'request.headers': ofCall(({ head }) => new BlockMap(head)),
  'request.referer': ofCall(({ head }) => head.get('referer')),
  'request.useragent': ofCall(({ head }) => head.get('user-agent')),
  'request.id': ofCall(({ head }) => head.get('x-request-id')),
  'request.protocol': ofCall(protocolOf),
  'request.time': ofAny(({ startWallMs }) => new Timestamp(startWallMs)),
  'request.duration': ofAny((subject) => (subject.endMs === 0 ? undefined : new Duration(subject.durationMs))),
  'request.size': ofCall(requestSize),
  'request.total_size': ofCall((record) => record.receivedBytes + headBytes(record.head)),
  'response.code': ofCall(({ status }) => (status === 0 ? undefined : status)),
  'response.code_details': ofCall(({ detail }) => (detail === '' ? undefined : detail)),
  'response.flags': ofAny((subject) => flagBits(subject.isCall ? subject.flags : [subject.flag])),
  'response.grpc_status': ofCall(grpcStatus),
  'response.headers': ofCall((record) => new ResponseMap(record)),
  'response.trailers': ofCall(({ trailers }) => new TrailerMap(trailers)),
  'response.size': ofCall(({ sentBytes }) => sentBytes),
  'response.total_size': ofCall(({ sentBytes, trailers }) => sentBytes + trailers.length),
  'response.backend_latency': ofCall(({ upstreamStartMs, endMs }) =>
    upstreamStartMs === 0 || endMs === 0 ? undefined : new Duration(endMs - upstreamStartMs),
  ),
  'source.address': ofAny(({ facts }) => sourceText(facts)),
  'source.port': ofAny(({ facts }) => facts.sourcePort),
  'destination.address': ofAny(({ facts }) => destinationText(facts)),
  'destination.port': ofAny(({ facts }) => facts.destinationPort),
  'connection.mtls': ofAny((subject) => peer(subject) !== undefined),
  'connection.requested_server_name': ofAny(({ facts }) => facts.tls?.serverName || facts.serverName || undefined),
  'connection.tls_version': ofAny(({ facts }) => facts.tls?.version),
  'connection.subject_peer_certificate': ofAny((subject) => peer(subject)?.subject),
  'connection.uri_san_peer_certificate': ofAny((subject) => peer(subject)?.uri || undefined),
  'connection.dns_san_peer_certificate': ofAny((subject) => sanOf(subject, 'dns')),
  'connection.uri_san_local_certificate': ofAny(({ facts }) => facts.tls?.localUris[0]),
  'connection.sha256_peer_certificate_digest': ofAny((subject) => peer(subject)?.certificateHash),
  'upstream.address': ofAny(({ host }) => host?.key),
  'upstream.port': ofAny(({ host }) => host?.plan.port),
  'upstream.local_address': ofAny(({ upstreamLocalAddress }) => upstreamLocalAddress || undefined),
  'upstream.request_attempt_count': ofAny(({ tries }) => tries),
  'metadata.filter_metadata': ofCall(({ decision: { metadata } }) =>
    metadata === undefined ? {} : ofJson(Object.fromEntries(metadata)),
  ),
  'xds.cluster_name': ofAny(({ cluster }) => cluster?.plan.name),
  'xds.route_name': ofCall(({ decision }) => decision.route?.name),
  'xds.node': nodeOf,
  node: nodeOf,
  'xds.virtual_host_name': ofCall(({ decision }) => decision.virtualHost?.name),
}

/** Fields of answers that an attribute reads of itself. */
export const ANSWER_FIELDS: Readonly<Record<string, readonly string[]>> = { 'response.grpc_status': ['grpc-status'] }
