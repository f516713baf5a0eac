import { hostname } from 'node:os'
import { RESPONSE_FLAGS, type ResponseFlag } from '../../../api/response-flags.ts'
import { namedVariable } from '../../../lib/env.ts'
import { randomUuid } from '../../../lib/random.ts'
import { destinationText, sourceText } from '../../decide/connection-facts.ts'
import { addressWithPort } from '../../decide/fields.ts'
import { metadataAt } from '../../decide/metadata.ts'
import { refuse } from '../../plan/plan-error.ts'
import type { CallRecord } from '../call-record.ts'
import { headBytes, protocolOf, type Subject } from '../cel/attributes.ts'
import { trailerField } from '../trailer-field.ts'
import { bytesOf } from './escape.ts'
import { GRPC_NAMES, grpcStatusOf } from './grpc-status.ts'
import { namesOf, type Operator, type OperatorContext, ofAny, ofCall, orNothing, type ReadValue } from './operator.ts'
import { compileTimeFormat } from './time-format.ts'
import * as times from './times.ts'
import { TLS_OPERATORS } from './tls-operators.ts'

/** A field of the request, those of its start line among them, as the request went on. */
export function requestField({ head, decision }: CallRecord, name: string): string | undefined {
  switch (name) {
    case ':method':
      return orNothing(head.method)
    case ':path':
      return orNothing(decision.path || head.path)
    case ':authority':
    case 'host':
      return orNothing(decision.authority || head.authority)
    case ':scheme':
      return head.scheme
    default:
      return head.get(name)
  }
}

const requestHeader: Operator = (args, context) => {
  const [main, other] = namesOf(args, 'REQUEST_HEADER', context)
  if (other === '') return (subject) => (subject.isCall ? requestField(subject, main) : undefined)
  return (subject) => (subject.isCall ? (requestField(subject, main) ?? requestField(subject, other)) : undefined)
}

const responseHeader: Operator = (args, context) => {
  const [main, other] = namesOf(args, 'RESPONSE_HEADER', context)
  for (const name of [main, other]) if (name !== '' && !name.startsWith(':')) context.responseFields.add(name)
  return (subject) => {
    if (!subject.isCall) return undefined
    return responseField(subject, main) ?? (other === '' ? undefined : responseField(subject, other))
  }
}

function responseField(record: CallRecord, name: string): string | undefined {
  if (name !== ':status') return record.responseField(name)
  return record.status === 0 ? undefined : String(record.status)
}

const responseTrailer: Operator = (args, context) => {
  const [main, other] = namesOf(args, 'RESPONSE_TRAILER', context)
  return (subject) => {
    if (!subject.isCall || subject.trailers === '') return undefined
    return trailerField(subject.trailers, main) ?? (other === '' ? undefined : trailerField(subject.trailers, other))
  }
}

function flagsOf(subject: Subject): readonly ResponseFlag[] {
  if (subject.isCall) return subject.flags
  return subject.flag === '' ? [] : [subject.flag]
}

/** `address:port` of the client; one that proxies vouch for has no port. */
export function remoteText(subject: Subject): string {
  const vouched = subject.isCall ? subject.decision.clientAddress : ''
  return vouched === '' ? sourceText(subject.facts) : addressWithPort(vouched, 0)
}

function remoteAddress(subject: Subject): string {
  const vouched = subject.isCall ? subject.decision.clientAddress : ''
  return vouched || subject.facts.sourceAddress
}

/** Of the host that the last try went to. */
export function hostText({ host }: Subject): string | undefined {
  if (host === undefined) return undefined
  const { address, port, unixPath } = host.plan
  return unixPath === '' ? addressWithPort(address, port) : unixPath
}

const startTime: Operator = (args, { path }) => {
  const write = compileTimeFormat(args, path)
  return ({ startWallMs }) => write(startWallMs)
}

const emitTime: Operator = (args, { path }) => {
  const write = compileTimeFormat(args, path)
  return (subject) => write(subject.startWallMs + subject.durationMs)
}

const UNITS_PER_MS: Readonly<Record<string, number>> = { ms: 1, us: 1e3, ns: 1e6 }

const commonDuration: Operator = (args, { path }) => {
  const [from = '', to = '', unit = 'ms'] = args.split(':')
  const [start, end] = [times.TIME_POINTS[from], times.TIME_POINTS[to]]
  const perMs = UNITS_PER_MS[unit]
  if (start === undefined || end === undefined || perMs === undefined) {
    return refuse(path, `%COMMON_DURATION(${args})%: a time of it is not known here`)
  }
  return times.between(start, end, perMs)
}

const duration = (from: times.TimePoint, to: times.TimePoint): Operator => ofAny(times.between(from, to))

const grpcStatus = (isAlwaysNumber: boolean): Operator => {
  return (args, { path, responseFields }) => {
    responseFields.add('grpc-status')
    const style = isAlwaysNumber ? 'NUMBER' : args || 'CAMEL_STRING'
    const names = GRPC_NAMES[style]
    if (names === undefined && style !== 'NUMBER') refuse(path, `%GRPC_STATUS(${args})% is no way to write a status`)
    return (subject) => {
      const status = subject.isCall ? grpcStatusOf(subject) : undefined
      return status === undefined || names === undefined ? status : (names[status] ?? String(status))
    }
  }
}

const dynamicMetadata: Operator = (args, { path }) => {
  const [namespace = '', ...keys] = args.split(':')
  if (namespace === '') refuse(path, '%DYNAMIC_METADATA% names no namespace')
  return (subject) => {
    if (!subject.isCall) return undefined
    const found = metadataAt(subject.decision, namespace, keys)
    return typeof found === 'string' ? bytesOf(found) : (found ?? undefined)
  }
}

const metadata: Operator = (args, context) => {
  const [kind = '', ...rest] = args.split(':')
  if (kind !== 'DYNAMIC') refuse(context.path, `%METADATA(${kind})% is not supported: only DYNAMIC is`)
  return dynamicMetadata(rest.join(':'), context)
}

const queryParameter: Operator = (args, { path }) => {
  if (args === '') refuse(path, '%QUERY_PARAM% names no parameter')
  return (subject) => {
    const target = subject.isCall ? requestField(subject, ':path') : undefined
    const from = target?.indexOf('?') ?? -1
    if (target === undefined || from < 0) return undefined
    for (const pair of target.slice(from + 1).split('&')) {
      if (pair.startsWith(`${args}=`)) return pair.slice(args.length + 1)
      if (pair === args) return ''
    }
    return undefined
  }
}

/** %PATH(WQ|NQ:ORIG|PATH|ORIG_OR_PATH)%: with or without the query, of the request as it came or as it went on. */
const requestPath: Operator = (args, { path }) => {
  const [query = '', which = ''] = args.split(':')
  if (!['', 'WQ', 'NQ'].includes(query) || !['', 'ORIG', 'PATH', 'ORIG_OR_PATH'].includes(which)) {
    refuse(path, `%PATH(${args})% is no way to write a path`)
  }
  return (subject) => {
    if (!subject.isCall) return undefined
    const original = which === 'PATH' ? undefined : subject.head.get('x-envoy-original-path')
    const found = original ?? (which === 'ORIG' ? undefined : requestField(subject, ':path'))
    return query === 'NQ' ? found?.split('?', 1)[0] : found
  }
}

const environment: Operator = (args) => {
  const value = namedVariable(args)
  return () => (value === undefined ? undefined : bytesOf(value))
}

const connectionIds = new WeakMap<object, number>()
let lastConnectionId = 0

/** Connections are numbered when somebody asks for it first. */
function connectionId({ facts }: Subject): number {
  let id = connectionIds.get(facts)
  if (id === undefined) {
    id = ++lastConnectionId
    connectionIds.set(facts, id)
  }
  return id
}

const HOSTNAME = bytesOf(hostname())

const withoutValue = ofAny(() => undefined)

/** Envoy's command operators (envoy: Access logging, "Command Operators") that we know the values of. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  REQ: requestHeader,
  REQUEST_HEADER: requestHeader,
  RESP: responseHeader,
  RESPONSE_HEADER: responseHeader,
  TRAILER: responseTrailer,
  RESPONSE_TRAILER: responseTrailer,
  START_TIME: startTime,
  EMIT_TIME: emitTime,
  PROTOCOL: ofCall(protocolOf),
  RESPONSE_CODE: ofAny((subject) => (subject.isCall ? subject.status : 0)),
  RESPONSE_CODE_DETAILS: ofAny(({ detail }) => orNothing(detail)?.replaceAll(' ', '_')),
  RESPONSE_FLAGS: ofAny((subject) => orNothing(flagsOf(subject).join(','))),
  RESPONSE_FLAGS_LONG: ofAny((subject) =>
    orNothing(
      flagsOf(subject)
        .map((flag) => RESPONSE_FLAGS[flag])
        .join(','),
    ),
  ),
  CONNECTION_TERMINATION_DETAILS: withoutValue,
  CUSTOM_FLAGS: withoutValue,
  BYTES_RECEIVED: ofAny(({ receivedBytes }) => receivedBytes),
  BYTES_SENT: ofAny(({ sentBytes }) => sentBytes),
  REQUEST_HEADERS_BYTES: ofCall(({ head }) => headBytes(head)),
  DURATION: ofAny((subject) => Math.floor(subject.durationMs)),
  REQUEST_DURATION: duration(times.requestStart, times.requestEnd),
  REQUEST_TX_DURATION: duration(times.requestStart, times.upstreamRequestEnd),
  RESPONSE_DURATION: duration(times.requestStart, times.upstreamAnswer),
  RESPONSE_TX_DURATION: duration(times.upstreamAnswer, times.end),
  COMMON_DURATION: commonDuration,
  UPSTREAM_HOST: ofAny(hostText),
  UPSTREAM_REMOTE_ADDRESS: ofAny(hostText),
  UPSTREAM_HOST_WITHOUT_PORT: ofAny(({ host }) => orNothing(host?.plan.address)),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ofAny(({ host }) => orNothing(host?.plan.address)),
  UPSTREAM_REMOTE_PORT: ofAny(({ host }) => host?.plan.port || undefined),
  UPSTREAM_HOST_NAME: ofAny((subject) => orNothing(subject.host?.plan.hostname) ?? hostText(subject)),
  UPSTREAM_LOCAL_ADDRESS: ofAny(({ upstreamLocalAddress }) => orNothing(upstreamLocalAddress)),
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: ofAny(({ upstreamLocalAddress }) => hostPart(upstreamLocalAddress)),
  UPSTREAM_LOCAL_PORT: ofAny(({ upstreamLocalAddress }) => portPart(upstreamLocalAddress)),
  UPSTREAM_CLUSTER: ofAny(({ cluster }) => (cluster === undefined ? undefined : bytesOf(cluster.plan.name))),
  UPSTREAM_CLUSTER_RAW: ofAny(({ cluster }) => (cluster === undefined ? undefined : bytesOf(cluster.plan.name))),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: ofAny(({ tries }) => tries),
  UPSTREAM_TRANSPORT_FAILURE_REASON: withoutValue,
  DOWNSTREAM_TRANSPORT_FAILURE_REASON: withoutValue,
  DOWNSTREAM_REMOTE_ADDRESS: ofAny(remoteText),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ofAny(remoteAddress),
  DOWNSTREAM_REMOTE_PORT: ofAny((subject) =>
    remoteAddress(subject) === subject.facts.sourceAddress ? subject.facts.sourcePort : 0,
  ),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: ofAny(({ facts }) => addressWithPort(facts.directSourceAddress, facts.sourcePort)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: ofAny(({ facts }) => facts.directSourceAddress),
  DOWNSTREAM_DIRECT_REMOTE_PORT: ofAny(({ facts }) => facts.sourcePort),
  DOWNSTREAM_LOCAL_ADDRESS: ofAny(({ facts }) => destinationText(facts)),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: ofAny(({ facts }) => facts.destinationAddress),
  DOWNSTREAM_LOCAL_PORT: ofAny(({ facts }) => facts.destinationPort),
  REQUESTED_SERVER_NAME: ofAny(({ facts }) => orNothing(facts.tls?.serverName || facts.serverName)),
  ROUTE_NAME: ofCall(({ decision }) => orNothing(bytesOf(decision.route?.name ?? ''))),
  VIRTUAL_CLUSTER_NAME: withoutValue,
  GRPC_STATUS: grpcStatus(false),
  GRPC_STATUS_NUMBER: grpcStatus(true),
  DYNAMIC_METADATA: dynamicMetadata,
  METADATA: metadata,
  QUERY_PARAM: queryParameter,
  PATH: requestPath,
  HOSTNAME: ofAny(() => HOSTNAME),
  ENVIRONMENT: environment,
  STREAM_ID: ofCall(({ head }) => head.get('x-request-id')),
  TRACE_ID: ofCall(({ trace }) => trace?.traceId),
  UNIQUE_ID: ofAny(() => randomUuid()),
  CONNECTION_ID: ofAny(connectionId),
  ACCESS_LOG_TYPE: ofAny((subject) => (subject.isCall ? 'DownstreamEnd' : 'TcpConnectionEnd')),
  ...TLS_OPERATORS,
}

function hostPart(address: string): string | undefined {
  if (address === '') return undefined
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1')
}

function portPart(address: string): number | undefined {
  return address === '' ? undefined : Number(address.slice(address.lastIndexOf(':') + 1))
}

/** Throws a PlanError for an operator whose value nobody here knows. */
export function compileOperator(name: string, args: string, context: OperatorContext): ReadValue {
  if (!Object.hasOwn(OPERATORS, name)) return refuse(context.path, `the operator %${name}% is not supported`)
  return (OPERATORS[name] as Operator)(args, context)
}
