import { toBinary } from '@bufbuild/protobuf'
import type { Duration } from '@bufbuild/protobuf/wkt'
import type { Cluster } from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { type HeaderValueOption, RequestMethod } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  type HealthCheck,
  type HealthCheck_GrpcHealthCheck,
  type HealthCheck_HttpHealthCheck,
  type HealthCheck_Payload,
  type HealthCheck_TcpHealthCheck,
  HealthCheckSchema,
} from '../../../api/gen/envoy/config/core/v3/health_check_pb.js'
import type { Endpoint_HealthCheckConfig } from '../../../api/gen/envoy/config/endpoint/v3/endpoint_components_pb.js'
import { CodecClientType } from '../../../api/gen/envoy/type/v3/http_pb.js'
import type { Int64Range } from '../../../api/gen/envoy/type/v3/range_pb.js'
import { compileTemplate } from '../header-template.ts'
import type {
  EndpointCheckPlan,
  GrpcProbePlan,
  HealthCheckPlan,
  HttpProbePlan,
  StatusRange,
  TcpProbePlan,
} from '../health-check-plan.ts'
import type { ClusterPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { fieldName } from '../wire-text.ts'
import { compileStringMatcher, durationMs } from './common.ts'

const DEFAULT_NO_TRAFFIC_MS = 60_000
const DEFAULT_RECEIVED_BYTES = 1024

/** The check of a cluster, if it has one (envoy.config.core.v3.HealthCheck). Throws a PlanError that names the field. */
export function compileHealthCheck(
  { healthChecks }: Cluster,
  protocol: ClusterPlan['protocol'],
): HealthCheckPlan | undefined {
  const [check] = healthChecks
  if (check === undefined) return undefined
  if (healthChecks.length > 1) refuse('health_checks', 'more than one is not supported')
  const path = 'health_checks[0]'
  if (check.healthChecker.case === 'grpcHealthCheck' && protocol === 'http1') {
    refuse(`${path}.grpc_health_check`, 'needs a cluster that speaks HTTP/2')
  }
  const ms = (field: Duration | undefined, name: string, absent: number) => positive(field, `${path}.${name}`, absent)
  const intervalMs = ms(check.interval, 'interval', 0)
  const unhealthyIntervalMs = ms(check.unhealthyInterval, 'unhealthy_interval', intervalMs)
  const noTrafficIntervalMs = ms(check.noTrafficInterval, 'no_traffic_interval', DEFAULT_NO_TRAFFIC_MS)
  return {
    key: Buffer.from(toBinary(HealthCheckSchema, check)).toString('latin1'),
    probe: compileProbe(check, path),
    timeoutMs: ms(check.timeout, 'timeout', 0),
    intervalMs,
    initialJitterMs: durationMs(check.initialJitter, 0),
    intervalJitterMs: durationMs(check.intervalJitter, 0),
    intervalJitterPercent: check.intervalJitterPercent,
    unhealthyThreshold: check.unhealthyThreshold ?? refuse(`${path}.unhealthy_threshold`, 'is needed'),
    healthyThreshold: check.healthyThreshold ?? refuse(`${path}.healthy_threshold`, 'is needed'),
    noTrafficIntervalMs,
    noTrafficHealthyIntervalMs: ms(check.noTrafficHealthyInterval, 'no_traffic_healthy_interval', noTrafficIntervalMs),
    unhealthyIntervalMs,
    unhealthyEdgeIntervalMs: ms(check.unhealthyEdgeInterval, 'unhealthy_edge_interval', unhealthyIntervalMs),
    healthyEdgeIntervalMs: ms(check.healthyEdgeInterval, 'healthy_edge_interval', intervalMs),
    reusesConnection: check.reuseConnection ?? true,
    alwaysLogsFailures: check.alwaysLogHealthCheckFailures,
    alwaysLogsSuccesses: check.alwaysLogHealthCheckSuccess,
    alpnProtocols: check.tlsOptions?.alpnProtocols,
    socketCriteria: check.transportSocketMatchCriteria,
  }
}

function positive(value: Duration | undefined, path: string, absent: number): number {
  const ms = durationMs(value, absent)
  return ms > 0 ? ms : refuse(path, 'must be given, and more than 0')
}

function compileProbe({ healthChecker }: HealthCheck, path: string): HealthCheckPlan['probe'] {
  switch (healthChecker.case) {
    case 'httpHealthCheck':
      return httpProbe(healthChecker.value, `${path}.http_health_check`)
    case 'tcpHealthCheck':
      return tcpProbe(healthChecker.value, `${path}.tcp_health_check`)
    case 'grpcHealthCheck':
      return grpcProbe(healthChecker.value, `${path}.grpc_health_check`)
    default:
      return refuse(path, 'a check by HTTP, TCP or gRPC is needed')
  }
}

function httpProbe(check: HealthCheck_HttpHealthCheck, path: string): HttpProbePlan {
  if (check.path === '') refuse(`${path}.path`, 'is needed')
  if (check.codecClientType === CodecClientType.HTTP3) refuse(`${path}.codec_client_type`, 'HTTP3 is not supported')
  if (check.method === RequestMethod.CONNECT) refuse(`${path}.method`, 'CONNECT is no check')
  const method = check.method === RequestMethod.METHOD_UNSPECIFIED ? 'GET' : RequestMethod[check.method]
  const expected = ranges(check.expectedStatuses, `${path}.expected_statuses`)
  return {
    kind: 'http',
    method: method ?? refuse(`${path}.method`, 'is none of the known ones'),
    path: check.path,
    host: check.host,
    headers: headers(check.requestHeadersToAdd, `${path}.request_headers_to_add`),
    removedHeaders: check.requestHeadersToRemove.map((name) => name.toLowerCase()),
    isHttp2: check.codecClientType === CodecClientType.HTTP2,
    expected: expected.length === 0 ? [[200, 201]] : expected,
    retriable: ranges(check.retriableStatuses, `${path}.retriable_statuses`),
    serviceName:
      check.serviceNameMatcher && compileStringMatcher(check.serviceNameMatcher, `${path}.service_name_matcher`),
    receive: check.receive.map((one, i) => payload(one, `${path}.receive[${i}]`)),
    maxReceivedBytes: Number(check.responseBufferSize ?? DEFAULT_RECEIVED_BYTES),
  }
}

function ranges(given: readonly Int64Range[], path: string): StatusRange[] {
  return given.map(({ start, end }, i): StatusRange => {
    const isFit = start < end && start >= 100n && end <= 600n
    return isFit ? [Number(start), Number(end)] : refuse(`${path}[${i}]`, `${start} to ${end} is no range of statuses`)
  })
}

function tcpProbe(check: HealthCheck_TcpHealthCheck, path: string): TcpProbePlan {
  if (check.proxyProtocolConfig !== undefined) refuse(`${path}.proxy_protocol_config`, 'not supported')
  return {
    kind: 'tcp',
    send: check.send && payload(check.send, `${path}.send`),
    receive: check.receive.map((one, i) => payload(one, `${path}.receive[${i}]`)),
  }
}

function grpcProbe(check: HealthCheck_GrpcHealthCheck, path: string): GrpcProbePlan {
  return {
    kind: 'grpc',
    serviceName: check.serviceName,
    authority: check.authority,
    headers: headers(check.initialMetadata, `${path}.initial_metadata`),
  }
}

function payload({ payload: given }: HealthCheck_Payload, path: string): Buffer {
  if (given.case === 'binary') return Buffer.from(given.value)
  if (given.case !== 'text' || !/^(?:[0-9a-fA-F]{2})+$/.test(given.value)) refuse(path, 'hexadecimal digits are needed')
  return Buffer.from(given.value as string, 'hex')
}

/** A check is no request of anybody: what a template could say of one is not known. */
function headers(given: readonly HeaderValueOption[], path: string): [name: string, value: string][] {
  return given.map(({ header }, i) => {
    const at = `${path}[${i}]`
    const value = compileTemplate(header?.value ?? '', at)
    if (typeof value !== 'string') refuse(at, 'command operators are not supported in a health check')
    return [fieldName(header?.key ?? '', at), value as string]
  })
}

export function compileEndpointCheck(
  config: Endpoint_HealthCheckConfig | undefined,
  path: string,
): EndpointCheckPlan | undefined {
  if (config === undefined) return undefined
  const place = config.address?.address
  if (place !== undefined && place.case !== 'socketAddress') refuse(`${path}.address`, 'a socket address is needed')
  const socket = place?.case === 'socketAddress' ? place.value : undefined
  const addressPort = socket?.portSpecifier.case === 'portValue' ? socket.portSpecifier.value : 0
  return {
    isDisabled: config.disableActiveHealthCheck,
    address: socket?.address ?? '',
    port: config.portValue || addressPort,
    hostname: config.hostname,
  }
}
