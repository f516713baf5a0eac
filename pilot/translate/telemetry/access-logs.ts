import { create, type DescMessage, type JsonObject, type MessageInitShape } from '@bufbuild/protobuf'
import {
  type AccessLog,
  type AccessLogFilter,
  AccessLogFilterSchema,
  AccessLogSchema,
  AndFilterSchema,
  ResponseFlagFilterSchema,
} from '../../../api/gen/envoy/config/accesslog/v3/accesslog_pb.js'
import { ApiVersion } from '../../../api/gen/envoy/config/core/v3/config_source_pb.js'
import { FileAccessLogSchema } from '../../../api/gen/envoy/extensions/access_loggers/file/v3/file_pb.js'
import { ExpressionFilterSchema } from '../../../api/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js'
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '../../../api/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js'
import { OpenTelemetryAccessLogConfigSchema } from '../../../api/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.js'
import type { ExtensionProvider, FileAccessLog, OtelAccessLogService } from '../../../crds/mesh-config.ts'
import { ISTIO_TEXT_FORMAT, type LogFormat } from '../../mesh/log-formats.ts'
import type { AccessLogTarget, ModeTelemetry } from '../../mesh/telemetry.ts'
import { any } from '../messages.ts'
import { type ProviderAddress, providerAuthority, providerCluster } from '../provider.ts'

/** Whose calls a filter tells of: a connection manager's, or a TCP proxy's. */
export type LoggedProtocol = 'http' | 'tcp'

/** The access logs of a connection manager, or of a TCP proxy. Logs that are for calls alone are none of connections. */
export function accessLogs({ accessLogs: targets }: ModeTelemetry, protocol: LoggedProtocol): AccessLog[] {
  return targets.flatMap((target) => accessLog(target, protocol, expressionFilter(target)))
}

/** The access logs of a listener. As in Istio it tells of connections that no filter chain takes: all others are told of by these. */
export function listenerAccessLogs({ accessLogs: targets }: ModeTelemetry): AccessLog[] {
  const untaken = filter({ case: 'responseFlagFilter', value: create(ResponseFlagFilterSchema, { flags: ['NR'] }) })
  return targets.flatMap((target) => {
    const asked = expressionFilter(target)
    const both = asked && filter({ case: 'andFilter', value: create(AndFilterSchema, { filters: [untaken, asked] }) })
    return accessLog(target, 'tcp', both ?? untaken)
  })
}

function accessLog({ provider }: AccessLogTarget, protocol: LoggedProtocol, filter?: AccessLogFilter): AccessLog[] {
  const logger = loggerOf(provider, protocol)
  if (logger === undefined) return []
  const { name, typedConfig } = logger
  return [create(AccessLogSchema, { name, filter, configType: { case: 'typedConfig', value: typedConfig } })]
}

function expressionFilter({ filter: expression }: AccessLogTarget): AccessLogFilter | undefined {
  if (expression === undefined || expression === '') return undefined
  const typedConfig = any(ExpressionFilterSchema, create(ExpressionFilterSchema, { expression }))
  const value = {
    name: 'envoy.access_loggers.extension_filters.cel',
    configType: { case: 'typedConfig' as const, value: typedConfig },
  }
  return create(AccessLogFilterSchema, { filterSpecifier: { case: 'extensionFilter', value } })
}

function filter(filterSpecifier: AccessLogFilter['filterSpecifier']): AccessLogFilter {
  return create(AccessLogFilterSchema, { filterSpecifier })
}

function logger<D extends DescMessage>(name: string, schema: D, config: MessageInitShape<D>) {
  return { name: `envoy.access_loggers.${name}`, typedConfig: any(schema, create(schema, config)) }
}

function loggerOf(provider: ExtensionProvider, protocol: LoggedProtocol) {
  const { envoyFileAccessLog: file, envoyHttpAls: http, envoyTcpAls: tcp, envoyOtelAls: otel } = provider
  if (file !== undefined) return logger('file', FileAccessLogSchema, fileConfig(file))
  if (http !== undefined && protocol === 'http') {
    return logger('http_grpc', HttpGrpcAccessLogConfigSchema, {
      commonConfig: commonConfig(http, http.logName ?? 'http_envoy_accesslog', http.filterStateObjectsToLog),
      additionalRequestHeadersToLog: http.additionalRequestHeadersToLog ?? [],
      additionalResponseHeadersToLog: http.additionalResponseHeadersToLog ?? [],
      additionalResponseTrailersToLog: http.additionalResponseTrailersToLog ?? [],
    })
  }
  if (tcp !== undefined && protocol === 'tcp') {
    const common = commonConfig(tcp, tcp.logName ?? 'tcp_envoy_accesslog', tcp.filterStateObjectsToLog)
    return logger('tcp_grpc', TcpGrpcAccessLogConfigSchema, { commonConfig: common })
  }
  if (otel !== undefined) return logger('open_telemetry', OpenTelemetryAccessLogConfigSchema, otelConfig(otel))
  return undefined
}

function fileConfig({ path = '/dev/stdout', logFormat = ISTIO_TEXT_FORMAT, omitEmptyValues = false }: FileAccessLog) {
  const value = { format: formatOf(logFormat), omitEmptyValues }
  return { path, accessLogFormat: { case: 'logFormat' as const, value } }
}

function formatOf({ text, labels }: LogFormat) {
  if (labels !== undefined) return { case: 'jsonFormat' as const, value: labels as JsonObject }
  const specifier = { case: 'inlineString' as const, value: line(text || (ISTIO_TEXT_FORMAT.text ?? '')) }
  return { case: 'textFormatSource' as const, value: { specifier } }
}

/** A text line is ended, whoever wrote its format. */
function line(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}

function commonConfig(provider: ProviderAddress, logName: string, filterStateObjectsToLog: readonly string[] = []) {
  const value = { clusterName: providerCluster(provider), authority: providerAuthority(provider) }
  return {
    logName,
    grpcService: { targetSpecifier: { case: 'envoyGrpc' as const, value } },
    transportApiVersion: ApiVersion.V3,
    filterStateObjectsToLog: [...filterStateObjectsToLog],
  }
}

function otelConfig(provider: OtelAccessLogService) {
  const { logName = 'otel_envoy_accesslog', logFormat } = provider
  const { text, labels } = logFormat ?? {}
  return {
    commonConfig: commonConfig(provider, logName),
    body: anyText(text || (ISTIO_TEXT_FORMAT.text ?? '').trimEnd()),
    attributes: {
      values: Object.entries(labels ?? {}).map(([key, value]) => ({ key, value: anyText(String(value)) })),
    },
  }
}

function anyText(value: string) {
  return { value: { case: 'stringValue' as const, value } }
}
