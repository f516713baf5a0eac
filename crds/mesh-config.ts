import { type Static, Type } from '@sinclair/typebox'
import { LocalityLoadBalancerSetting } from './kinds/destination-rule.ts'
import { HTTPRetry } from './kinds/virtual-service.ts'
import { duration, mapOf, message, oneOf, portNumber, strings, uint32 } from './schema.ts'

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

export const ExtensionProvider = message({
  name: Type.String(),
  envoyExtAuthzHttp: Type.Optional(ExtAuthzHttp),
  envoyExtAuthzGrpc: Type.Optional(ExtAuthzGrpc),
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
  dnsRefreshRate: Type.Optional(duration()),
  proxyListenPort: Type.Optional(portNumber()),
  proxyInboundListenPort: Type.Optional(portNumber()),
  extensionProviders: Type.Optional(Type.Array(ExtensionProvider)),
  mixerCheckServer: Type.Optional(
    Type.String({
      description: 'host:port of the mixer that inbound sidecars ask about calls; nobody is asked when absent.',
    }),
  ),
  disablePolicyChecks: Type.Optional(Type.Boolean()),
  policyCheckFailOpen: Type.Optional(
    Type.Boolean({ description: 'Calls pass while the mixer cannot be asked; else they are answered 503.' }),
  ),
})
export type MeshConfig = Static<typeof MeshConfig>
