import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { ApiVersion } from '../../../../api/gen/envoy/config/core/v3/config_source_pb.js'
import type { HttpUri } from '../../../../api/gen/envoy/config/core/v3/http_uri_pb.js'
import {
  type AuthorizationResponse,
  type BufferSettings,
  type ExtAuthz,
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
  type HttpService,
} from '../../../../api/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import type { ListStringMatcher } from '../../../../api/gen/envoy/type/matcher/v3/string_pb.js'
import { compileStringMatcher, durationMs } from '../../../plan/compile/common.ts'
import { compileMetadataMatcher } from '../../../plan/compile/metadata-matcher.ts'
import type { StringMatcher } from '../../../plan/matchers.ts'
import type { MetadataMatcher } from '../../../plan/metadata-matcher.ts'
import { refuse } from '../../../plan/plan-error.ts'
import { wireText } from '../../../plan/wire-text.ts'
import { REPLAY_LIMIT_BYTES } from '../../../stream/request-buffer.ts'
import {
  compileGrpcService,
  DEFAULT_TIMEOUT_MS,
  type GrpcServicePlan,
  headerField,
} from '../../ext-authz/grpc-service.ts'

/** undefined where a list was not given. */
type NameMatchers = readonly StringMatcher[] | undefined

export interface HttpServicePlan {
  readonly kind: 'http'
  readonly cluster: string
  readonly pathPrefix: string
  readonly timeoutMs: number
  readonly headersToAdd: readonly (readonly [name: string, value: string])[]
  /** Of the server's answer, what goes into the request and into the answer to the client. */
  readonly upstreamHeaders: NameMatchers
  readonly upstreamHeadersToAppend: NameMatchers
  readonly clientHeaders: NameMatchers
  readonly clientHeadersOnSuccess: NameMatchers
}

export interface BodyPlan {
  readonly maxBytes: number
  readonly allowPartial: boolean
  readonly packAsBytes: boolean
}

export interface ExtAuthzConfig {
  readonly service: GrpcServicePlan | HttpServicePlan
  readonly failureModeAllow: boolean
  readonly failureModeAllowHeaderAdd: boolean
  readonly body: BodyPlan | undefined
  readonly clearsRoute: boolean
  readonly statusOnError: number
  /** Who is asked about; undefined for everybody. */
  readonly enabledBy: MetadataMatcher | undefined
  readonly metadataNamespaces: readonly string[]
  readonly takesMetadata: boolean
  readonly includePeerCertificate: boolean
  readonly allowedHeaders: NameMatchers
  readonly disallowedHeaders: NameMatchers
  /** Answers may be given again, if they say so: not where they may be about a body. */
  readonly mayKeep: boolean
}

/** What a route says otherwise. */
export interface ExtAuthzRouteConfig {
  readonly disabled: boolean
  readonly contextExtensions: Readonly<Record<string, string>>
}

/** envoy.extensions.filters.http.ext_authz.v3.ExtAuthz. Throws a PlanError that names the field. */
export function compileExtAuthz(any: Any, path: string): ExtAuthzConfig {
  const config = anyUnpack(any, ExtAuthzSchema)
  if (config === undefined) return refuse(path, 'is not an ExtAuthz')
  refuseUnsupported(config, path)
  return {
    service: compileService(config, path),
    failureModeAllow: config.failureModeAllow,
    failureModeAllowHeaderAdd: config.failureModeAllowHeaderAdd,
    body: config.withRequestBody && compileBody(config.withRequestBody, `${path}.with_request_body`),
    clearsRoute: config.clearRouteCache,
    statusOnError: config.statusOnError?.code || 403,
    enabledBy:
      config.filterEnabledMetadata &&
      compileMetadataMatcher(config.filterEnabledMetadata, `${path}.filter_enabled_metadata`),
    metadataNamespaces: config.metadataContextNamespaces,
    takesMetadata: config.enableDynamicMetadataIngestion ?? true,
    includePeerCertificate: config.includePeerCertificate,
    allowedHeaders:
      names(config.allowedHeaders, `${path}.allowed_headers`) ?? olderAllowedHeaders(config, `${path}.http_service`),
    disallowedHeaders: names(config.disallowedHeaders, `${path}.disallowed_headers`),
    mayKeep: config.services.case === 'grpcService' && config.withRequestBody === undefined,
  }
}

/** Where older control planes say it. */
function olderAllowedHeaders({ services }: ExtAuthz, path: string): NameMatchers {
  if (services.case !== 'httpService') return undefined
  return names(services.value.authorizationRequest?.allowedHeaders, `${path}.authorization_request.allowed_headers`)
}

/** What would let pass or stop other calls than the configuration means. */
function refuseUnsupported(config: ExtAuthz, path: string): void {
  for (const [field, isSet] of [
    ['filter_enabled', config.filterEnabled !== undefined],
    ['deny_at_disable', config.denyAtDisable !== undefined],
    ['validate_mutations', config.validateMutations],
    ['decoder_header_mutation_rules', config.decoderHeaderMutationRules !== undefined],
    ['encode_raw_headers', config.encodeRawHeaders],
    ['include_tls_session', config.includeTlsSession],
    ['bootstrap_metadata_labels_key', config.bootstrapMetadataLabelsKey !== ''],
    ['typed_metadata_context_namespaces', config.typedMetadataContextNamespaces.length > 0],
    ['route_metadata_context_namespaces', config.routeMetadataContextNamespaces.length > 0],
    ['route_typed_metadata_context_namespaces', config.routeTypedMetadataContextNamespaces.length > 0],
  ] as const) {
    if (isSet) refuse(`${path}.${field}`, 'not supported')
  }
  if (config.transportApiVersion === ApiVersion.V2) refuse(`${path}.transport_api_version`, 'only V3 is spoken')
}

export function compileExtAuthzRoute(any: Any, path: string): ExtAuthzRouteConfig {
  const config = anyUnpack(any, ExtAuthzPerRouteSchema)
  if (config === undefined) return refuse(path, 'is not an ExtAuthzPerRoute')
  const { override } = config
  if (override.case === 'disabled') return { disabled: override.value, contextExtensions: {} }
  if (override.case !== 'checkSettings') return refuse(path, 'needs disabled or check_settings')
  const { contextExtensions, disableRequestBodyBuffering, withRequestBody } = override.value
  if (disableRequestBodyBuffering) refuse(`${path}.check_settings.disable_request_body_buffering`, 'not supported')
  if (withRequestBody !== undefined) refuse(`${path}.check_settings.with_request_body`, 'not supported')
  return { disabled: false, contextExtensions }
}

function compileService({ services }: ExtAuthz, path: string): GrpcServicePlan | HttpServicePlan {
  switch (services.case) {
    case 'grpcService':
      return compileGrpcService(services.value, `${path}.grpc_service`)
    case 'httpService':
      return compileHttp(services.value, `${path}.http_service`)
    default:
      return refuse(path, 'needs grpc_service or http_service')
  }
}

function compileHttp(service: HttpService, path: string): HttpServicePlan {
  const { serverUri, pathPrefix, authorizationRequest, authorizationResponse } = service
  if (pathPrefix !== '' && !pathPrefix.startsWith('/')) refuse(`${path}.path_prefix`, 'must begin with a slash')
  return {
    kind: 'http',
    cluster: clusterOf(serverUri, `${path}.server_uri`),
    pathPrefix: wireText(pathPrefix, `${path}.path_prefix`),
    timeoutMs: durationMs(serverUri?.timeout, DEFAULT_TIMEOUT_MS),
    headersToAdd: (authorizationRequest?.headersToAdd ?? []).map(({ key, value }, i) =>
      headerField(key, value, `${path}.authorization_request.headers_to_add[${i}]`),
    ),
    ...compileResponse(authorizationResponse, `${path}.authorization_response`),
  }
}

function compileResponse(response: AuthorizationResponse | undefined, path: string) {
  if (response?.dynamicMetadataFromHeaders !== undefined) {
    refuse(`${path}.dynamic_metadata_from_headers`, 'not supported')
  }
  return {
    upstreamHeaders: names(response?.allowedUpstreamHeaders, `${path}.allowed_upstream_headers`),
    upstreamHeadersToAppend: names(
      response?.allowedUpstreamHeadersToAppend,
      `${path}.allowed_upstream_headers_to_append`,
    ),
    clientHeaders: names(response?.allowedClientHeaders, `${path}.allowed_client_headers`),
    clientHeadersOnSuccess: names(response?.allowedClientHeadersOnSuccess, `${path}.allowed_client_headers_on_success`),
  }
}

function clusterOf(uri: HttpUri | undefined, path: string): string {
  return uri?.httpUpstreamType.value || refuse(`${path}.cluster`, 'is needed')
}

function compileBody(settings: BufferSettings, path: string): BodyPlan {
  const { maxRequestBytes: maxBytes, allowPartialMessage: allowPartial, packAsBytes } = settings
  if (maxBytes === 0 || maxBytes >= REPLAY_LIMIT_BYTES) {
    refuse(`${path}.max_request_bytes`, `must be from 1 to ${REPLAY_LIMIT_BYTES - 1}`)
  }
  return { maxBytes, allowPartial, packAsBytes }
}

function names(list: ListStringMatcher | undefined, path: string): NameMatchers {
  return list?.patterns.map((pattern, i) => compileStringMatcher(pattern, `${path}.patterns[${i}]`))
}

export function isNamed(name: string, matchers: readonly StringMatcher[]): boolean {
  return matchers.some((matcher) => matcher.test(name))
}
