import { create } from '@bufbuild/protobuf'
import { HeaderValueSchema } from '../../../../api/gen/envoy/config/core/v3/base_pb.js'
import { ApiVersion } from '../../../../api/gen/envoy/config/core/v3/config_source_pb.js'
import {
  type GrpcService,
  GrpcService_EnvoyGrpcSchema,
  GrpcServiceSchema,
} from '../../../../api/gen/envoy/config/core/v3/grpc_service_pb.js'
import { HttpUriSchema } from '../../../../api/gen/envoy/config/core/v3/http_uri_pb.js'
import {
  AuthorizationRequestSchema,
  AuthorizationResponseSchema,
  BufferSettingsSchema,
  type ExtAuthz,
  ExtAuthzSchema,
  HttpServiceSchema,
} from '../../../../api/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import {
  type ExtAuthz as NetworkExtAuthz,
  ExtAuthzSchema as NetworkExtAuthzSchema,
} from '../../../../api/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js'
import type { MetadataMatcher } from '../../../../api/gen/envoy/type/matcher/v3/metadata_pb.js'
import { type ListStringMatcher, ListStringMatcherSchema } from '../../../../api/gen/envoy/type/matcher/v3/string_pb.js'
import { HttpStatusSchema, StatusCode } from '../../../../api/gen/envoy/type/v3/http_status_pb.js'
import type { ExtAuthzGrpc, ExtAuthzHttp, ExtensionProvider } from '../../../../crds/mesh-config.ts'
import { providerHost } from '../../../mesh/extension-providers.ts'
import { duration, durationOf } from '../../messages.ts'
import { providerAuthority, providerCluster } from '../../provider.ts'
import { textMatcher } from './matchers.ts'

/** How an external authorizer is asked (Istio's pilot/pkg/security/authz/builder/extauthz.go). */

/** Istio's: as good as none. */
const DEFAULT_TIMEOUT_MS = 600_000

/** `enabled`: the calls that are asked about. The provider must be one of the two kinds of authorizers. */
export function httpExtAuthz(provider: ExtensionProvider, enabled: MetadataMatcher): ExtAuthz {
  const { envoyExtAuthzHttp: http, envoyExtAuthzGrpc: grpc } = provider
  const given = (http ?? grpc) as ExtAuthzHttp | ExtAuthzGrpc
  const body = given.includeRequestBodyInCheck
  const included = list(http?.includeRequestHeadersInCheck)
  return create(ExtAuthzSchema, {
    services: http === undefined ? { case: 'grpcService', value: grpcService(given) } : httpService(http),
    transportApiVersion: ApiVersion.V3,
    failureModeAllow: given.failOpen ?? false,
    clearRouteCache: given.clearRouteCache ?? false,
    statusOnError: create(HttpStatusSchema, { code: Number(given.statusOnError ?? StatusCode.Forbidden) }),
    filterEnabledMetadata: enabled,
    ...(included && { allowedHeaders: included }),
    ...(body && {
      withRequestBody: create(BufferSettingsSchema, {
        maxRequestBytes: body.maxRequestBytes ?? 0,
        allowPartialMessage: body.allowPartialMessage ?? false,
        packAsBytes: body.packAsBytes ?? false,
      }),
    }),
  })
}

/** undefined for an authorizer that is asked by HTTP: it is told of requests, and a connection has none. */
export function networkExtAuthz(provider: ExtensionProvider, enabled: MetadataMatcher): NetworkExtAuthz | undefined {
  const { envoyExtAuthzGrpc: grpc } = provider
  if (grpc === undefined) return undefined
  return create(NetworkExtAuthzSchema, {
    statPrefix: 'tcp.',
    grpcService: grpcService(grpc),
    transportApiVersion: ApiVersion.V3,
    failureModeAllow: grpc.failOpen ?? false,
    filterEnabledMetadata: enabled,
  })
}

function timeoutOf({ timeout }: ExtAuthzGrpc) {
  return durationOf(timeout) ?? duration(DEFAULT_TIMEOUT_MS)
}

function grpcService(given: ExtAuthzGrpc): GrpcService {
  const envoyGrpc = create(GrpcService_EnvoyGrpcSchema, {
    clusterName: providerCluster(given),
    authority: providerAuthority(given),
  })
  return create(GrpcServiceSchema, {
    targetSpecifier: { case: 'envoyGrpc', value: envoyGrpc },
    timeout: timeoutOf(given),
  })
}

function httpService(http: ExtAuthzHttp): ExtAuthz['services'] {
  const added = Object.entries(http.includeAdditionalHeadersInCheck ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  const upstream = list(http.headersToUpstreamOnAllow)
  const denied = list(http.headersToDownstreamOnDeny)
  const allowed = list(http.headersToDownstreamOnAllow)
  const service = create(HttpServiceSchema, {
    serverUri: create(HttpUriSchema, {
      uri: `http://${providerHost(http)}`,
      httpUpstreamType: { case: 'cluster', value: providerCluster(http) },
      timeout: timeoutOf(http),
    }),
    pathPrefix: http.pathPrefix ?? '',
    ...(added.length > 0 && {
      authorizationRequest: create(AuthorizationRequestSchema, {
        headersToAdd: added.map(([key, value]) => create(HeaderValueSchema, { key, value })),
      }),
    }),
    ...((upstream ?? denied ?? allowed) && {
      authorizationResponse: create(AuthorizationResponseSchema, {
        ...(upstream && { allowedUpstreamHeaders: upstream }),
        ...(denied && { allowedClientHeaders: denied }),
        ...(allowed && { allowedClientHeadersOnSuccess: allowed }),
      }),
    }),
  })
  return { case: 'httpService', value: service }
}

function list(names: readonly string[] | undefined): ListStringMatcher | undefined {
  if (names === undefined || names.length === 0) return undefined
  return create(ListStringMatcherSchema, { patterns: names.map((name) => textMatcher(name, true)) })
}
