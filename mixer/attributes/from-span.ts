import type { AnyValue, KeyValue } from '../../api/gen/opentelemetry/proto/common/v1/common_pb.js'
import type { Resource } from '../../api/gen/opentelemetry/proto/resource/v1/resource_pb.js'
import {
  Span_SpanKind as Kind,
  type Span,
  Status_StatusCode as Status,
} from '../../api/gen/opentelemetry/proto/trace/v1/trace_pb.js'
import { type ClusterName, parseClusterName } from '../../api/names.ts'
import { parseNodeId } from '../../api/node.ts'
import { canonicalIp, unmapIpv4 } from '../../lib/ip.ts'
import { queryParams, ReadBag, type Readers, text, urlPath } from './read.ts'
import { toldAttributes } from './text.ts'
import { type AttributeBag, type AttributeTypes, mapValue, type StringMap, type Value } from './value.ts'

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8
const KINDS: Readonly<Record<Kind, string>> = {
  [Kind.UNSPECIFIED]: 'unspecified',
  [Kind.INTERNAL]: 'internal',
  [Kind.SERVER]: 'server',
  [Kind.CLIENT]: 'client',
  [Kind.PRODUCER]: 'producer',
  [Kind.CONSUMER]: 'consumer',
}
const STATUSES: Readonly<Record<Status, string>> = {
  [Status.UNSET]: 'unset',
  [Status.OK]: 'ok',
  [Status.ERROR]: 'error',
}

/** Whether a span has ids by which others find it: the right length, and not all zero (W3C Trace Context, 3.2.2). */
export function isSpan({ traceId, spanId }: Span): boolean {
  return isId(traceId, TRACE_ID_BYTES) && isId(spanId, SPAN_ID_BYTES)
}

function isId(bytes: Uint8Array, length: number): boolean {
  return bytes.length === length && bytes.some((byte) => byte !== 0)
}

/** What tells spans: attributes that all of its spans have. Read once for all. */
export function resourceTags(resource: Resource | undefined): StringMap {
  return tagsOf(resource?.attributes ?? [])
}

function tagsOf(attributes: readonly KeyValue[]): StringMap {
  const tags: Record<string, string> = Object.create(null)
  for (const { key, value } of attributes) tags[key] = valueText(value)
  return tags
}

function valueText(any: AnyValue | undefined): string {
  const value = any?.value
  switch (value?.case) {
    case undefined:
      return ''
    case 'bytesValue':
      return Buffer.from(value.value).toString('base64')
    case 'arrayValue':
    case 'kvlistValue':
      return JSON.stringify(plain(any))
    default:
      return String(value?.value)
  }
}

function plain(any: AnyValue | undefined): unknown {
  const value = any?.value
  if (value?.case === 'arrayValue') return value.value.values.map(plain)
  if (value?.case === 'kvlistValue') {
    return Object.fromEntries(value.value.values.map(({ key, value: one }) => [key, plain(one)]))
  }
  return valueText(any)
}

/** One span with what its tags say, found out once. */
class Told {
  readonly span: Span
  readonly tags: StringMap
  readonly resource: StringMap
  #cluster: ClusterName | undefined
  #isClusterRead = false

  constructor(span: Span, resource: StringMap) {
    this.span = span
    this.tags = tagsOf(span.attributes)
    this.resource = resource
  }

  /** The first of these tags that says something: names of Envoy's tracers, and of OpenTelemetry's conventions old and new. */
  tag(...names: readonly string[]): string | undefined {
    for (const name of names) {
      const value = mapValue(this.tags, name)
      if (value !== undefined && value !== '') return value
    }
    return undefined
  }

  number(...names: readonly string[]): number | undefined {
    const value = Number(this.tag(...names) ?? Number.NaN)
    return Number.isSafeInteger(value) ? value : undefined
  }

  get cluster(): ClusterName | undefined {
    if (!this.#isClusterRead) {
      this.#isClusterRead = true
      this.#cluster = parseClusterName(this.tag('upstream_cluster', 'upstream_cluster.name') ?? '')
    }
    return this.#cluster
  }

  get isOutbound(): boolean {
    const { kind } = this.span
    if (kind === Kind.CLIENT || kind === Kind.PRODUCER) return true
    return kind !== Kind.SERVER && kind !== Kind.CONSUMER && this.cluster?.direction === 'outbound'
  }

  /** Path and query. Envoy's tag is a whole URL. */
  get path(): string | undefined {
    const target = this.tag('http.target')
    if (target !== undefined) return target
    const url = this.tag('http.url', 'url.full')
    if (url === undefined) {
      const query = this.tag('url.query')
      return this.tag('url.path')?.concat(query === undefined ? '' : `?${query}`)
    }
    const scheme = url.indexOf('://')
    if (scheme < 0) return url
    const slash = url.indexOf('/', scheme + 3)
    return slash < 0 ? '/' : url.slice(slash)
  }

  get host(): string | undefined {
    const named = this.tag('http.host', 'server.address')
    if (named !== undefined) return named
    const url = this.tag('http.url', 'url.full') ?? ''
    const scheme = url.indexOf('://')
    return scheme < 0 ? undefined : text(url.slice(scheme + 3).split('/', 1)[0])
  }

  get isHttp(): boolean {
    return this.tag('http.method', 'http.request.method', 'http.status_code', 'http.response.status_code') !== undefined
  }

  get protocol(): string | undefined {
    if (this.tag('rpc.system') === 'grpc' || this.tag('grpc.status_code', 'rpc.grpc.status_code') !== undefined)
      return 'grpc'
    return this.isHttp ? 'http' : undefined
  }
}

const NANOS_OF_A_MS = 1_000_000n

/** With fractions: a millisecond's thousandth is kept. */
function milliseconds(nanos: bigint): number | undefined {
  return nanos === 0n ? undefined : Number(nanos / NANOS_OF_A_MS) + Number(nanos % NANOS_OF_A_MS) / 1e6
}

const start = ({ span }: Told) => milliseconds(span.startTimeUnixNano)
const end = ({ span }: Told) => milliseconds(span.endTimeUnixNano)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function duration(told: Told): number | undefined {
  const [from, to] = [start(told), end(told)]
  return from === undefined || to === undefined ? undefined : Math.max(0, to - from)
}

/** As Zipkin's headers say it, so that instances that were written for Istio's proxies read it there. */
function headers(told: Told): StringMap {
  const { traceId, spanId, parentSpanId } = told.span
  const made: Record<string, string> = Object.create(null)
  made['x-b3-traceid'] = hex(traceId)
  made['x-b3-spanid'] = hex(spanId)
  if (parentSpanId.length > 0) made['x-b3-parentspanid'] = hex(parentSpanId)
  const id = told.tag('guid:x-request-id')
  if (id !== undefined) made['x-request-id'] = id
  return made
}

/** Who tells is the caller of what goes out, and the called of what comes in. */
function sideReaders(side: 'source' | 'destination'): [string, (told: Told) => Value | undefined][] {
  const own = (read: (told: Told) => string | undefined) => (told: Told) =>
    told.isOutbound === (side === 'source') ? read(told) : undefined
  const node = (told: Told) => parseNodeId(told.tag('node_id') ?? '')
  const name = (told: Told) => told.resource['k8s.pod.name'] ?? node(told)?.name
  const namespace = (told: Told) =>
    told.resource['k8s.namespace.name'] ??
    told.resource['service.namespace'] ??
    told.tag('istio.namespace') ??
    node(told)?.namespace
  return [
    [`${side}.name`, own(name)],
    [`${side}.namespace`, own(namespace)],
    [`${side}.workload.namespace`, own(namespace)],
    [
      `${side}.workload.name`,
      own((told) => told.resource['k8s.deployment.name'] ?? told.tag('istio.canonical_service')),
    ],
    [
      `${side}.uid`,
      own((told) => {
        const [pod, space] = [name(told), namespace(told)]
        return pod === undefined || space === undefined ? undefined : `kubernetes://${pod}.${space}`
      }),
    ],
  ]
}

function address(value: string | undefined): string | undefined {
  return value === undefined ? undefined : canonicalIp(unmapIpv4(value)) || undefined
}

const READERS: Readers<Told> = new Map<string, (told: Told) => Value | undefined>([
  ...sideReaders('source'),
  ...sideReaders('destination'),
  ['span.trace_id', ({ span }) => hex(span.traceId)],
  ['span.id', ({ span }) => hex(span.spanId)],
  ['span.parent_id', ({ span }) => text(hex(span.parentSpanId))],
  ['span.name', ({ span }) => span.name],
  ['span.kind', ({ span }) => KINDS[span.kind] ?? 'unspecified'],
  ['span.status', ({ span }) => STATUSES[span.status?.code ?? Status.UNSET] ?? 'unset'],
  ['span.service', ({ resource }) => text(resource['service.name'])],
  ['span.tags', ({ tags }) => tags],
  ['span.resource', ({ resource }) => resource],
  [
    'source.ip',
    (told) =>
      address(
        told.tag('client.address') ?? (told.isOutbound ? undefined : told.tag('peer.address', 'network.peer.address')),
      ),
  ],
  ['destination.ip', (told) => (told.isOutbound ? address(told.tag('network.peer.address')) : undefined)],
  ['destination.port', (told) => told.number('server.port', 'destination.port')],
  ['destination.service.host', ({ cluster }) => cluster?.host],
  ['request.id', (told) => told.tag('guid:x-request-id')],
  ['request.headers', headers],
  ['request.method', (told) => told.tag('http.method', 'http.request.method')],
  ['request.host', ({ host }) => host],
  ['request.path', ({ path }) => path],
  ['request.url_path', ({ path }) => urlPath(path)],
  ['request.query_params', ({ path }) => queryParams(path)],
  ['request.scheme', (told) => told.tag('http.scheme', 'url.scheme')],
  ['request.useragent', (told) => told.tag('user_agent', 'user_agent.original', 'http.user_agent')],
  ['request.size', (told) => told.number('request_size', 'http.request.body.size')],
  ['request.time', start],
  ['response.time', end],
  ['response.duration', duration],
  ['response.code', (told) => told.number('http.status_code', 'http.response.status_code')],
  ['response.size', (told) => told.number('response_size', 'http.response.body.size')],
  ['response.grpc_status', (told) => told.tag('grpc.status_code', 'rpc.grpc.status_code')],
  ['context.protocol', ({ protocol }) => protocol],
  ['api.protocol', ({ protocol }) => protocol],
  [
    'context.proxy_error_code',
    (told) => {
      const flags = told.tag('response_flags')
      return flags === '-' ? undefined : flags
    },
  ],
  ['context.time', end],
  ['context.timestamp', end],
  ['context.reporter.kind', ({ isOutbound }) => (isOutbound ? 'outbound' : 'inbound')],
])

/**
 * The attributes of a span (opentelemetry.proto.trace.v1.Span). Tags, of the span or of its resource, whose keys are names of attributes
 * (`destination.service.host`, `source.labels[app]`) go before what else the span says; `span.` names are only the reader's to tell.
 */
export function spanBag(span: Span, resource: StringMap, types: AttributeTypes): AttributeBag {
  const told = new Told(span, resource)
  const values = toldAttributes(named(resource, types), types)
  toldAttributes(named(told.tags, types), types, values)
  return new ReadBag(told, READERS, values.size === 0 ? undefined : values)
}

function* named(tags: StringMap, types: AttributeTypes): Iterable<readonly [string, string]> {
  for (const key in tags) {
    const open = key.indexOf('[')
    if (!types.has(open > 0 ? key.slice(0, open) : key) || key.startsWith('span.')) continue
    yield [key, tags[key] as string]
  }
}
