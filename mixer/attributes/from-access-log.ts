import { RequestMethod } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  type AccessLogCommon,
  AccessLogType,
  type HTTPAccessLogEntry,
  type TCPAccessLogEntry,
  type TLSProperties_CertificateProperties,
} from '../../api/gen/envoy/data/accesslog/v3/accesslog_pb.js'
import { BLACK_HOLE_CLUSTER, type ClusterName, PASSTHROUGH_CLUSTER, parseClusterName } from '../../api/names.ts'
import {
  addressIp,
  addressPort,
  apiKey,
  durationMs,
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
import type { Reporter } from './reporter.ts'
import { flagText } from './response-flags.ts'
import { toldAttributes } from './text.ts'
import type { AttributeBag, AttributeTypes, StringMap, Value } from './value.ts'

/** Of a connection, what was told of it before. */
export interface Totals {
  readonly received: number
  readonly sent: number
}

/** One entry of a log, with the proxy that wrote it. What several attributes are made of is found out once. */
class Entry {
  readonly reporter: Reporter
  readonly common: AccessLogCommon | undefined
  readonly http: HTTPAccessLogEntry | undefined
  readonly tcp: TCPAccessLogEntry | undefined
  readonly before: Totals | undefined
  #cluster: ClusterName | undefined
  #isClusterRead = false

  constructor(
    reporter: Reporter,
    http: HTTPAccessLogEntry | undefined,
    tcp: TCPAccessLogEntry | undefined,
    before: Totals | undefined,
  ) {
    this.reporter = reporter
    this.common = (http ?? tcp)?.commonProperties
    this.http = http
    this.tcp = tcp
    this.before = before
  }

  get cluster(): ClusterName | undefined {
    if (!this.#isClusterRead) {
      this.#isClusterRead = true
      this.#cluster = parseClusterName(this.common?.upstreamCluster ?? '')
    }
    return this.#cluster
  }

  get isOutbound(): boolean {
    if (this.reporter.isGateway) return true
    const name = this.common?.upstreamCluster
    return this.cluster?.direction === 'outbound' || name === PASSTHROUGH_CLUSTER || name === BLACK_HOLE_CLUSTER
  }

  get headers(): StringMap {
    return this.http?.request?.requestHeaders ?? NONE
  }

  /** A field of the response, in its trailers or else its headers. */
  trailer(name: string): string | undefined {
    const response = this.http?.response
    return response?.responseTrailers[name] ?? response?.responseHeaders[name]
  }

  get path(): string | undefined {
    return this.http?.request?.originalPath || text(this.http?.request?.path)
  }

  get isEnd(): boolean {
    const type = this.common?.accessLogType ?? AccessLogType.NotSet
    return type === AccessLogType.NotSet || type === AccessLogType.TcpConnectionEnd
  }
}

const NONE: StringMap = Object.freeze({})

function identityOf(certificate: TLSProperties_CertificateProperties | undefined): string | undefined {
  for (const { san } of certificate?.subjectAltName ?? []) if (san.case === 'uri') return san.value
  return undefined
}

const peer = (entry: Entry) => identityOf(entry.common?.tlsProperties?.peerCertificateProperties)
const local = (entry: Entry) => identityOf(entry.common?.tlsProperties?.localCertificateProperties)
const http = (read: (entry: Entry) => Value | undefined) => (entry: Entry) =>
  entry.http === undefined ? undefined : read(entry)
const tcp = (read: (entry: Entry) => Value | undefined) => (entry: Entry) =>
  entry.tcp === undefined ? undefined : read(entry)

/** The workload beside the proxy is the caller of what goes out, and the called of what comes in. */
function workload(fact: string, side: 'source' | 'destination', orElse?: (entry: Entry) => Value | undefined) {
  return (entry: Entry): Value | undefined => {
    const own = entry.isOutbound === (side === 'source') ? entry.reporter.workload.get(fact) : undefined
    return own ?? orElse?.(entry)
  }
}

function sideReaders(side: 'source' | 'destination'): [string, (entry: Entry) => Value | undefined][] {
  // Certificates are those of the connection from the caller: of what goes out they say nothing about the called.
  const identity = side === 'source' ? peer : local
  return [
    ...['uid', 'name', 'labels', 'owner', 'workload.name', 'workload.namespace', 'workload.uid'].map(
      (fact): [string, (entry: Entry) => Value | undefined] => [`${side}.${fact}`, workload(fact, side)],
    ),
    [`${side}.namespace`, workload('namespace', side, (entry) => namespaceOf(identity(entry)))],
    [`${side}.serviceAccount`, workload('serviceAccount', side, (entry) => serviceAccountOf(identity(entry)))],
    [`${side}.principal`, (entry) => principalOf(identity(entry))],
    [`${side}.user`, (entry) => principalOf(identity(entry))],
  ]
}

const duration = (entry: Entry) =>
  durationMs(entry.common?.duration) ??
  durationMs(entry.common?.timeToLastDownstreamTxByte) ??
  durationMs(entry.common?.timeToLastRxByte)
const startMs = (entry: Entry) => timestampMs(entry.common?.startTime)
const received = (entry: Entry) => Number(entry.tcp?.connectionProperties?.receivedBytes ?? 0n)
const sent = (entry: Entry) => Number(entry.tcp?.connectionProperties?.sentBytes ?? 0n)

function endMs(entry: Entry): number | undefined {
  const start = startMs(entry)
  return start === undefined ? undefined : start + (duration(entry) ?? 0)
}

function eventOf(entry: Entry): string {
  if (entry.isEnd) return 'close'
  return entry.common?.accessLogType === AccessLogType.TcpPeriodic ? 'continue' : 'open'
}

const protocol = (entry: Entry) =>
  entry.tcp !== undefined ? 'tcp' : httpProtocol(entry.headers['content-type'] ?? entry.trailer('content-type'))

const READERS: Readers<Entry> = new Map<string, (entry: Entry) => Value | undefined>([
  ...sideReaders('source'),
  ...sideReaders('destination'),
  [
    'source.ip',
    ({ common }) => addressIp(common?.downstreamDirectRemoteAddress) ?? addressIp(common?.downstreamRemoteAddress),
  ],
  ['origin.ip', ({ common }) => addressIp(common?.downstreamRemoteAddress)],
  [
    'destination.ip',
    ({ common, isOutbound }) => addressIp(isOutbound ? common?.upstreamRemoteAddress : common?.downstreamLocalAddress),
  ],
  [
    'destination.port',
    ({ common, isOutbound }) =>
      addressPort(isOutbound ? common?.upstreamRemoteAddress : common?.downstreamLocalAddress),
  ],
  ['destination.service.host', ({ cluster }) => text(cluster?.host)],
  ['request.id', ({ http: entry }) => text(entry?.request?.requestId)],
  ['request.host', ({ http: entry }) => text(entry?.request?.authority)],
  [
    'request.method',
    http(({ http: entry }) => {
      const method = entry?.request?.requestMethod ?? RequestMethod.METHOD_UNSPECIFIED
      return method === RequestMethod.METHOD_UNSPECIFIED ? undefined : RequestMethod[method]
    }),
  ],
  ['request.path', (entry) => entry.path],
  ['request.url_path', (entry) => urlPath(entry.path)],
  ['request.query_params', (entry) => queryParams(entry.path)],
  ['request.headers', http((entry) => entry.headers)],
  ['request.referer', ({ http: entry }) => text(entry?.request?.referer)],
  ['request.useragent', ({ http: entry }) => text(entry?.request?.userAgent)],
  ['request.scheme', ({ http: entry }) => text(entry?.request?.scheme)],
  ['request.size', http(({ http: entry }) => Number(entry?.request?.requestBodyBytes ?? 0n))],
  [
    'request.total_size',
    http(({ http: entry }) =>
      Number((entry?.request?.requestBodyBytes ?? 0n) + (entry?.request?.requestHeadersBytes ?? 0n)),
    ),
  ],
  ['request.time', http(startMs)],
  ['request.api_key', http((entry) => apiKey(entry.headers, queryParams(entry.path)))],
  ['response.code', ({ http: entry }) => entry?.response?.responseCode],
  ['response.duration', http(duration)],
  ['response.headers', ({ http: entry }) => entry?.response?.responseHeaders],
  ['response.size', http(({ http: entry }) => Number(entry?.response?.responseBodyBytes ?? 0n))],
  [
    'response.total_size',
    http(({ http: entry }) =>
      Number((entry?.response?.responseBodyBytes ?? 0n) + (entry?.response?.responseHeadersBytes ?? 0n)),
    ),
  ],
  ['response.time', http(endMs)],
  ['response.grpc_status', (entry) => entry.trailer('grpc-status')],
  ['response.grpc_message', (entry) => entry.trailer('grpc-message')],
  ['connection.event', tcp(eventOf)],
  ['connection.id', tcp(({ common }) => text(common?.streamId))],
  ['connection.received.bytes', tcp((entry) => received(entry) - (entry.before?.received ?? 0))],
  ['connection.received.bytes_total', tcp(received)],
  ['connection.sent.bytes', tcp((entry) => sent(entry) - (entry.before?.sent ?? 0))],
  ['connection.sent.bytes_total', tcp(sent)],
  ['connection.duration', tcp(duration)],
  ['connection.mtls', (entry) => peer(entry) !== undefined],
  ['connection.requested_server_name', ({ common }) => text(common?.tlsProperties?.tlsSniHostname)],
  ['context.protocol', protocol],
  ['api.protocol', http(protocol)],
  ['context.proxy_error_code', ({ common }) => flagText(common?.responseFlags)],
  ['context.time', (entry) => endMs(entry)],
  ['context.timestamp', (entry) => endMs(entry)],
  ['context.reporter.kind', ({ isOutbound }) => (isOutbound ? 'outbound' : 'inbound')],
  ['context.reporter.uid', ({ reporter }) => reporter.uid],
  ['context.proxy_version', ({ reporter }) => reporter.version],
])

function told(common: AccessLogCommon | undefined, types: AttributeTypes): ReadonlyMap<string, Value> | undefined {
  const tags = common === undefined ? [] : Object.entries(common.customTags)
  return tags.length === 0 ? undefined : toldAttributes(tags, types)
}

/** The attributes of a call of HTTP that is over. Custom tags that are named as attributes go before what the entry says. */
export function httpEntryBag(entry: HTTPAccessLogEntry, reporter: Reporter, types: AttributeTypes): AttributeBag {
  return new ReadBag(new Entry(reporter, entry, undefined, undefined), READERS, told(entry.commonProperties, types))
}

/** Of a connection of bytes, when it opens, from time to time, and when it ends. */
export function tcpEntryBag(
  entry: TCPAccessLogEntry,
  reporter: Reporter,
  types: AttributeTypes,
  before?: Totals,
): AttributeBag {
  return new ReadBag(new Entry(reporter, undefined, entry, before), READERS, told(entry.commonProperties, types))
}
