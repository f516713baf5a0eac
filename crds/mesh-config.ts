import { type Static, Type } from '@sinclair/typebox'
import { LocalityLoadBalancerSetting } from './kinds/destination-rule.ts'
import { CustomTag } from './kinds/telemetry.ts'
import { HTTPRetry } from './kinds/virtual-service.ts'
import { duration, mapOf, message, oneOf, partial, portNumber, strings, uint32 } from './schema.ts'

/** istio.mesh.v1alpha1.MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationRequestBody. */
const RequestBody = message({
  maxRequestBytes: Type.Optional(uint32()),
  allowPartialMessage: Type.Optional(Type.Boolean()),
  packAsBytes: Type.Optional(Type.Boolean()),
})

const service = {
  service: Type.String({ description: 'host or namespace/host of the authorizer.' }),
  port: portNumber(),
  timeout: Type.Optional(duration('10 minutes when absent.')),
  failOpen: Type.Optional(Type.Boolean({ description: 'Calls pass when the authorizer cannot be asked.' })),
  statusOnError: Type.Optional(Type.String({ description: 'Answered when it cannot be asked; 403 when absent.' })),
  clearRouteCache: Type.Optional(Type.Boolean()),
  includeRequestBodyInCheck: Type.Optional(RequestBody),
}

export const ExtAuthzHttp = message({
  ...service,
  pathPrefix: Type.Optional(Type.String()),
  includeRequestHeadersInCheck: Type.Optional(strings()),
  includeAdditionalHeadersInCheck: Type.Optional(mapOf(Type.String())),
  headersToUpstreamOnAllow: Type.Optional(strings()),
  headersToDownstreamOnDeny: Type.Optional(strings()),
  headersToDownstreamOnAllow: Type.Optional(strings()),
})
export type ExtAuthzHttp = Static<typeof ExtAuthzHttp>

export const ExtAuthzGrpc = message(service)
export type ExtAuthzGrpc = Static<typeof ExtAuthzGrpc>

const backend = {
  service: Type.String({ description: 'host or namespace/host.' }),
  port: portNumber(),
}

export const FileAccessLog = message({
  path: Type.Optional(Type.String({ description: 'A file, /dev/stdout or /dev/stderr; /dev/stdout when absent.' })),
  logFormat: Type.Optional(
    message({ text: Type.Optional(Type.String()), labels: Type.Optional(partial({})) }, 'One of these.'),
  ),
  omitEmptyValues: Type.Optional(Type.Boolean()),
})
export type FileAccessLog = Static<typeof FileAccessLog>

export const HttpAccessLogService = message({
  ...backend,
  logName: Type.Optional(Type.String()),
  filterStateObjectsToLog: Type.Optional(strings()),
  additionalRequestHeadersToLog: Type.Optional(strings()),
  additionalResponseHeadersToLog: Type.Optional(strings()),
  additionalResponseTrailersToLog: Type.Optional(strings()),
})
export type HttpAccessLogService = Static<typeof HttpAccessLogService>

export const TcpAccessLogService = message({
  ...backend,
  logName: Type.Optional(Type.String()),
  filterStateObjectsToLog: Type.Optional(strings()),
})
export type TcpAccessLogService = Static<typeof TcpAccessLogService>

export const OtelAccessLogService = message({
  ...backend,
  logName: Type.Optional(Type.String()),
  logFormat: Type.Optional(message({ text: Type.Optional(Type.String()), labels: Type.Optional(partial({})) })),
})
export type OtelAccessLogService = Static<typeof OtelAccessLogService>

export const ZipkinProvider = message({
  ...backend,
  maxTagLength: Type.Optional(uint32()),
  enable64bitTraceId: Type.Optional(Type.Boolean()),
  path: Type.Optional(Type.String({ description: '/api/v2/spans when absent.' })),
  timeout: Type.Optional(duration('5 seconds when absent.')),
  traceContextOption: Type.Optional(oneOf(['USE_B3', 'USE_B3_WITH_W3C_PROPAGATION'])),
})
export type ZipkinProvider = Static<typeof ZipkinProvider>

export const OpenTelemetryProvider = message({
  ...backend,
  maxTagLength: Type.Optional(uint32()),
  http: Type.Optional(
    message(
      {
        path: Type.String(),
        timeout: Type.Optional(duration()),
        headers: Type.Optional(Type.Array(message({ name: Type.String(), value: Type.Optional(Type.String()) }))),
      },
      'By HTTP; by gRPC when absent.',
    ),
  ),
})
export type OpenTelemetryProvider = Static<typeof OpenTelemetryProvider>

/** istio.mesh.v1alpha1.MeshConfig.ExtensionProvider: a name and one of the others. */
export const ExtensionProvider = message({
  name: Type.String(),
  envoyExtAuthzHttp: Type.Optional(ExtAuthzHttp),
  envoyExtAuthzGrpc: Type.Optional(ExtAuthzGrpc),
  prometheus: Type.Optional(message({})),
  envoyFileAccessLog: Type.Optional(FileAccessLog),
  envoyHttpAls: Type.Optional(HttpAccessLogService),
  envoyTcpAls: Type.Optional(TcpAccessLogService),
  envoyOtelAls: Type.Optional(OtelAccessLogService),
  zipkin: Type.Optional(ZipkinProvider),
  opentelemetry: Type.Optional(OpenTelemetryProvider),
})
export type ExtensionProvider = Static<typeof ExtensionProvider>

/** The fields of Istio's MeshConfig that are honoured (istio.io/latest/docs/reference/config/istio.mesh.v1alpha1). */
export const MeshConfig = message({
  trustDomain: Type.Optional(Type.String()),
  trustDomainAliases: Type.Optional(strings()),
  rootNamespace: Type.Optional(Type.String()),
  outboundTrafficPolicy: Type.Optional(message({ mode: Type.Optional(oneOf(['REGISTRY_ONLY', 'ALLOW_ANY'])) })),
  connectTimeout: Type.Optional(duration()),
  defaultServiceExportTo: Type.Optional(strings()),
  defaultVirtualServiceExportTo: Type.Optional(strings()),
  defaultDestinationRuleExportTo: Type.Optional(strings()),
  defaultHttpRetryPolicy: Type.Optional(HTTPRetry),
  localityLbSetting: Type.Optional(LocalityLoadBalancerSetting),
  h2UpgradePolicy: Type.Optional(oneOf(['DO_NOT_UPGRADE', 'UPGRADE'])),
  accessLogFile: Type.Optional(Type.String()),
  accessLogFormat: Type.Optional(Type.String()),
  accessLogEncoding: Type.Optional(oneOf(['TEXT', 'JSON'])),
  disableEnvoyListenerLog: Type.Optional(
    Type.Boolean({ description: 'Connections that no filter chain takes are not logged.' }),
  ),
  enableTracing: Type.Optional(Type.Boolean()),
  defaultProviders: Type.Optional(
    message({
      tracing: Type.Optional(strings()),
      metrics: Type.Optional(strings()),
      accessLogging: Type.Optional(strings()),
    }),
  ),
  defaultConfig: Type.Optional(
    message({
      tracing: Type.Optional(
        message({
          sampling: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
          maxPathTagLength: Type.Optional(uint32()),
          customTags: Type.Optional(mapOf(CustomTag)),
        }),
      ),
    }),
  ),
  dnsRefreshRate: Type.Optional(duration()),
  proxyListenPort: Type.Optional(portNumber()),
  proxyInboundListenPort: Type.Optional(portNumber()),
  extensionProviders: Type.Optional(Type.Array(ExtensionProvider)),
  mixerCheckServer: Type.Optional(
    Type.String({
      description: 'host:port of the mixer that inbound sidecars ask about calls; nobody is asked when absent.',
    }),
  ),
  mixerReportServer: Type.Optional(
    Type.String({
      description: 'host:port of the mixer that inbound sidecars tell of calls; nobody is told when absent.',
    }),
  ),
  disableMixerHttpReports: Type.Optional(Type.Boolean()),
  disablePolicyChecks: Type.Optional(Type.Boolean()),
  policyCheckFailOpen: Type.Optional(
    Type.Boolean({ description: 'Calls pass while the mixer cannot be asked; else they are answered 503.' }),
  ),
})
export type MeshConfig = Static<typeof MeshConfig>
