import { type Static, Type } from '@sinclair/typebox'
import {
  deprecated,
  duration,
  durationOrZero,
  int32,
  mapOf,
  message,
  oneOf,
  stringMap,
  strings,
  uint32,
  unsupported,
} from '../schema.ts'
import { Destination, exportTo, Percent, StringMatch } from './common.ts'
import { body } from './object.ts'

export { Destination, Percent, PortSelector, StringMatch } from './common.ts'

export const HeaderOperations = message({
  set: Type.Optional(stringMap('Overwrites.')),
  add: Type.Optional(stringMap('Appends.')),
  remove: Type.Optional(strings()),
})
export type HeaderOperations = Static<typeof HeaderOperations>

export const Headers = message({
  request: Type.Optional(HeaderOperations),
  response: Type.Optional(HeaderOperations),
})
export type Headers = Static<typeof Headers>

const stringMatches = (description: string) => mapOf(StringMatch, description)

export const HTTPMatchRequest = message(
  {
    name: Type.Optional(Type.String()),
    uri: Type.Optional(StringMatch),
    ignoreUriCase: Type.Optional(Type.Boolean({ description: 'For exact and prefix matches of the uri.' })),
    scheme: Type.Optional(StringMatch),
    method: Type.Optional(StringMatch),
    authority: Type.Optional(StringMatch),
    headers: Type.Optional(stringMatches('By lower-case name. An empty match means presence.')),
    withoutHeaders: Type.Optional(stringMatches('Headers that must not match. A missing header counts as empty.')),
    queryParams: Type.Optional(stringMatches('An empty match means presence.')),
    port: Type.Optional(uint32("The service's port.")),
    sourceLabels: Type.Optional(stringMap('Labels of the calling workload.')),
    sourceNamespace: Type.Optional(Type.String()),
    gateways: Type.Optional(strings("Overrides the VirtualService's own list.")),
    statPrefix: Type.Optional(unsupported(Type.String(), 'statistics by route prefix are not kept yet')),
  },
  'The fields of one entry must all match; one matching entry of a list is enough.',
)
export type HTTPMatchRequest = Static<typeof HTTPMatchRequest>

export const HTTPRouteDestination = message({
  destination: Destination,
  weight: Type.Optional(int32('Relative to the other destinations.')),
  headers: Type.Optional(Headers),
})
export type HTTPRouteDestination = Static<typeof HTTPRouteDestination>

export const RouteDestination = message({ destination: Destination, weight: Type.Optional(int32()) })
export type RouteDestination = Static<typeof RouteDestination>

export const HTTPRewrite = message({
  uri: Type.Optional(Type.String({ description: 'Replaces the matched prefix, or the path of an exact match.' })),
  authority: Type.Optional(Type.String()),
  uriRegexRewrite: Type.Optional(
    message({
      match: Type.Optional(Type.String({ description: 'RE2.' })),
      rewrite: Type.Optional(Type.String({ description: 'With \\1 for the first group.' })),
    }),
  ),
})
export type HTTPRewrite = Static<typeof HTTPRewrite>

export const HTTPRedirect = message({
  uri: Type.Optional(Type.String({ description: 'Replaces the whole path.' })),
  prefixRewrite: Type.Optional(Type.String({ description: 'Replaces the matched prefix.' })),
  authority: Type.Optional(Type.String()),
  port: Type.Optional(uint32()),
  derivePort: Type.Optional(oneOf(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT'])),
  scheme: Type.Optional(Type.String()),
  redirectCode: Type.Optional(uint32('301 (default), 302, 303, 307 or 308.')),
})
export type HTTPRedirect = Static<typeof HTTPRedirect>

export const HTTPDirectResponse = message({
  status: uint32(),
  body: Type.Optional(
    message({
      string: Type.Optional(Type.String()),
      bytes: Type.Optional(Type.String({ description: 'Base64.', format: 'byte' })),
    }),
  ),
})
export type HTTPDirectResponse = Static<typeof HTTPDirectResponse>

export const HTTPRetry = message({
  attempts: Type.Optional(int32('Retries after the first try; 0 switches retries off.')),
  perTryTimeout: Type.Optional(durationOrZero()),
  retryOn: Type.Optional(Type.String({ description: 'Comma-separated conditions and status codes.' })),
  retryRemoteLocalities: Type.Optional(unsupported(Type.Boolean(), 'localities are not honoured yet')),
  retryIgnorePreviousHosts: Type.Optional(Type.Boolean()),
  backoff: Type.Optional(duration('The base interval.')),
})
export type HTTPRetry = Static<typeof HTTPRetry>

export const HTTPFaultInjection = message({
  delay: Type.Optional(
    message({
      fixedDelay: Type.Optional(duration()),
      percentage: Type.Optional(Percent),
      percent: Type.Optional(deprecated(int32(), 'use percentage.value')),
      exponentialDelay: Type.Optional(unsupported(duration(), 'it is not implemented, as in Istio')),
    }),
  ),
  abort: Type.Optional(
    message({
      httpStatus: Type.Optional(int32()),
      grpcStatus: Type.Optional(Type.String({ description: 'Name of a gRPC code, such as UNAVAILABLE.' })),
      http2Error: Type.Optional(unsupported(Type.String(), 'it is not implemented, as in Istio')),
      percentage: Type.Optional(Percent),
    }),
  ),
})
export type HTTPFaultInjection = Static<typeof HTTPFaultInjection>

export const CorsPolicy = message({
  allowOrigin: Type.Optional(deprecated(strings(), 'use allowOrigins')),
  allowOrigins: Type.Optional(Type.Array(StringMatch)),
  allowMethods: Type.Optional(strings()),
  allowHeaders: Type.Optional(strings()),
  exposeHeaders: Type.Optional(strings()),
  maxAge: Type.Optional(durationOrZero('In whole seconds.')),
  allowCredentials: Type.Optional(Type.Boolean()),
  unmatchedPreflights: Type.Optional(oneOf(['UNSPECIFIED', 'FORWARD', 'IGNORE'])),
})
export type CorsPolicy = Static<typeof CorsPolicy>

export const HTTPMirrorPolicy = message({ destination: Destination, percentage: Type.Optional(Percent) })
export type HTTPMirrorPolicy = Static<typeof HTTPMirrorPolicy>

export const Delegate = message({ name: Type.Optional(Type.String()), namespace: Type.Optional(Type.String()) })
export type Delegate = Static<typeof Delegate>

export const HTTPRoute = message({
  name: Type.Optional(Type.String()),
  match: Type.Optional(Type.Array(HTTPMatchRequest)),
  route: Type.Optional(Type.Array(HTTPRouteDestination)),
  redirect: Type.Optional(HTTPRedirect),
  directResponse: Type.Optional(HTTPDirectResponse),
  delegate: Type.Optional(Delegate),
  rewrite: Type.Optional(HTTPRewrite),
  timeout: Type.Optional(durationOrZero('Of the whole call with its retries. Off when absent.')),
  retries: Type.Optional(HTTPRetry),
  fault: Type.Optional(HTTPFaultInjection),
  mirror: Type.Optional(Destination),
  mirrors: Type.Optional(Type.Array(HTTPMirrorPolicy)),
  mirrorPercentage: Type.Optional(Percent),
  mirrorPercent: Type.Optional(deprecated(uint32(), 'use mirrorPercentage')),
  mirror_percent: Type.Optional(deprecated(uint32(), 'use mirrorPercentage')),
  corsPolicy: Type.Optional(CorsPolicy),
  headers: Type.Optional(Headers),
})
export type HTTPRoute = Static<typeof HTTPRoute>

export const TLSMatchAttributes = message({
  sniHosts: Type.Array(Type.String(), { minItems: 1 }),
  destinationSubnets: Type.Optional(strings()),
  port: Type.Optional(uint32()),
  sourceLabels: Type.Optional(stringMap()),
  gateways: Type.Optional(strings()),
  sourceNamespace: Type.Optional(Type.String()),
})
export type TLSMatchAttributes = Static<typeof TLSMatchAttributes>

export const TLSRoute = message({
  match: Type.Array(TLSMatchAttributes, { minItems: 1 }),
  route: Type.Optional(Type.Array(RouteDestination)),
})
export type TLSRoute = Static<typeof TLSRoute>

export const L4MatchAttributes = message({
  destinationSubnets: Type.Optional(strings()),
  port: Type.Optional(uint32()),
  sourceSubnet: Type.Optional(deprecated(Type.String(), 'it has no effect')),
  sourceLabels: Type.Optional(stringMap()),
  gateways: Type.Optional(strings()),
  sourceNamespace: Type.Optional(Type.String()),
})
export type L4MatchAttributes = Static<typeof L4MatchAttributes>

export const TCPRoute = message({
  match: Type.Optional(Type.Array(L4MatchAttributes)),
  route: Type.Optional(Type.Array(RouteDestination)),
})
export type TCPRoute = Static<typeof TCPRoute>

export const VirtualServiceSpec = message(
  {
    hosts: Type.Optional(strings('Empty only in a delegate.')),
    gateways: Type.Optional(strings('Default: mesh, which is every sidecar.')),
    http: Type.Optional(Type.Array(HTTPRoute)),
    tls: Type.Optional(Type.Array(TLSRoute)),
    tcp: Type.Optional(Type.Array(TCPRoute)),
    exportTo: Type.Optional(exportTo()),
  },
  'How calls to some hosts are routed.',
)
export type VirtualServiceSpec = Static<typeof VirtualServiceSpec>

export const VirtualServiceBody = body(VirtualServiceSpec)
export type VirtualServiceBody = Static<typeof VirtualServiceBody>
