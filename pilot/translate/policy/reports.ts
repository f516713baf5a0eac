import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type AccessLog, AccessLogSchema } from '../../../api/gen/envoy/config/accesslog/v3/accesslog_pb.js'
import { ApiVersion } from '../../../api/gen/envoy/config/core/v3/config_source_pb.js'
import {
  type CommonGrpcAccessLogConfigSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '../../../api/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js'
import { formatClusterName } from '../../../api/names.ts'
import type { WorkloadReports } from '../../mesh/mixer-reports.ts'
import { any } from '../messages.ts'
import { calledHost, toldAttributes } from './plan.ts'

/** Told from the logs of providers by its name. */
const LOG_NAME = 'lateen.mixer'
/** How a call of gRPC ended. */
const RESPONSE_TRAILERS = ['grpc-status', 'grpc-message']

/** What a proxy tells the mixer of the calls to one port, once they are over. Plain data: the same content makes the same logs. */
export interface InboundReports {
  readonly host: string
  readonly port: number
  readonly ofCalls: boolean
  readonly requestHeaders: readonly string[]
  readonly responseHeaders: readonly string[]
  /** Attributes of the workload, by their names. */
  readonly told: Readonly<Record<string, string>>
}

/** undefined where the mixer is not told: of reports it hears by these themselves. */
export function inboundReports(
  reports: WorkloadReports | undefined,
  namespace: string,
  port: number,
  host?: string,
): InboundReports | undefined {
  if (reports === undefined) return undefined
  const called = calledHost(reports, port, host)
  if (called === reports.mixer.host) return undefined
  const { host: server, port: serverPort, ofCalls, requestHeaders, responseHeaders } = reports.mixer
  const told = toldAttributes(reports.labels, namespace, called)
  return { host: server, port: serverPort, ofCalls, requestHeaders, responseHeaders, told }
}

export function reportLogs(reports: InboundReports | undefined, protocol: 'http' | 'tcp'): AccessLog[] {
  if (reports === undefined) return []
  const commonConfig = commonFields(reports)
  if (protocol === 'tcp') {
    const config = create(TcpGrpcAccessLogConfigSchema, { commonConfig })
    return [logOf('envoy.access_loggers.tcp_grpc', any(TcpGrpcAccessLogConfigSchema, config))]
  }
  if (!reports.ofCalls) return []
  const config = create(HttpGrpcAccessLogConfigSchema, {
    commonConfig,
    additionalRequestHeadersToLog: [...reports.requestHeaders],
    additionalResponseHeadersToLog: [...reports.responseHeaders, ...RESPONSE_TRAILERS],
    additionalResponseTrailersToLog: RESPONSE_TRAILERS,
  })
  return [logOf('envoy.access_loggers.http_grpc', any(HttpGrpcAccessLogConfigSchema, config))]
}

function logOf(name: string, value: ReturnType<typeof any>): AccessLog {
  return create(AccessLogSchema, { name, configType: { case: 'typedConfig', value } })
}

function commonFields({ host, port, told }: InboundReports): MessageInitShape<typeof CommonGrpcAccessLogConfigSchema> {
  const value = {
    clusterName: formatClusterName({ direction: 'outbound', port, subset: '', host }),
    authority: `outbound_.${port}_._.${host}`,
  }
  return {
    logName: LOG_NAME,
    grpcService: { targetSpecifier: { case: 'envoyGrpc', value } },
    transportApiVersion: ApiVersion.V3,
    customTags: Object.entries(told).map(([tag, text]) => ({
      tag,
      type: { case: 'literal', value: { value: text } },
    })),
  }
}
