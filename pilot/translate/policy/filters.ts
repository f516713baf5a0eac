import { create, fromJson, type JsonObject } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { ApiVersion } from '../../../api/gen/envoy/config/core/v3/config_source_pb.js'
import {
  type GrpcService,
  GrpcService_EnvoyGrpcSchema,
  GrpcServiceSchema,
} from '../../../api/gen/envoy/config/core/v3/grpc_service_pb.js'
import { RateLimitServiceConfigSchema } from '../../../api/gen/envoy/config/ratelimit/v3/rls_pb.js'
import {
  RateLimitSchema as RateLimitActionsSchema,
  type VirtualHost,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import {
  CheckSettingsSchema,
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from '../../../api/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import {
  RateLimitPerRouteSchema,
  RateLimitSchema,
  RateLimitPerRoute_VhRateLimitsOptions as VhOptions,
} from '../../../api/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.js'
import {
  type HttpFilter,
  HttpFilterSchema,
} from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { HttpStatusSchema, StatusCode } from '../../../api/gen/envoy/type/v3/http_status_pb.js'
import { formatClusterName } from '../../../api/names.ts'
import { REGISTRY } from '../../../api/registry.ts'
import { isHeaderName } from '../../../config/names.ts'
import { any, duration } from '../messages.ts'
import type { InboundPolicy } from './plan.ts'

/** Its name is its own: an authorization policy may have a filter of the same kind. */
const CHECK_FILTER = 'lateen.mixer.check'
const QUOTA_FILTER = 'envoy.filters.http.ratelimit'
const QUOTA_DOMAIN = 'lateen.mixer'
/** Of the limits on routes those that are the mixer's. */
const QUOTA_STAGE = 10
const TIMEOUT_MS = 1_000
const JWT_METADATA = 'envoy.filters.http.jwt_authn'
const EXPRESSION = 'type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor'

/** The filters that ask the mixer: whether a call may pass, and whether there is room for it. Both say what happens without an answer. */
export function policyFilters(policy: InboundPolicy | undefined): HttpFilter[] {
  if (policy === undefined) return []
  const { failOpen } = policy
  const statusOnError = create(HttpStatusSchema, { code: StatusCode.ServiceUnavailable })
  const filter = (name: string, value: Any) =>
    create(HttpFilterSchema, { name, configType: { case: 'typedConfig', value } })
  const check = create(ExtAuthzSchema, {
    services: { case: 'grpcService', value: grpcService(policy) },
    transportApiVersion: ApiVersion.V3,
    failureModeAllow: failOpen,
    statusOnError,
    metadataContextNamespaces: [JWT_METADATA],
  })
  const filters = [filter(CHECK_FILTER, any(ExtAuthzSchema, check))]
  if (policy.quotaReads === undefined) return filters
  const quota = create(RateLimitSchema, {
    domain: QUOTA_DOMAIN,
    stage: QUOTA_STAGE,
    timeout: duration(TIMEOUT_MS),
    failureModeDeny: !failOpen,
    statusOnError,
    rateLimitService: create(RateLimitServiceConfigSchema, {
      grpcService: grpcService(policy),
      transportApiVersion: ApiVersion.V3,
    }),
  })
  return [...filters, filter(QUOTA_FILTER, any(RateLimitSchema, quota))]
}

/** Adds to the virtual host of a port what its filters tell. */
export function withPolicy(host: VirtualHost, policy: InboundPolicy | undefined): VirtualHost {
  if (policy === undefined) return host
  const contextExtensions = { ...policy.told }
  const told = create(ExtAuthzPerRouteSchema, {
    override: { case: 'checkSettings', value: create(CheckSettingsSchema, { contextExtensions }) },
  })
  host.typedPerFilterConfig[CHECK_FILTER] = any(ExtAuthzPerRouteSchema, told)
  if (policy.quotaReads === undefined) return host
  const own = create(RateLimitPerRouteSchema, { vhRateLimits: VhOptions.INCLUDE })
  host.typedPerFilterConfig[QUOTA_FILTER] = any(RateLimitPerRouteSchema, own)
  const actions = [...Object.entries(policy.told).flatMap(toldAction), ...policy.quotaReads.flatMap(readAction)]
  const unique = [...new Map(actions.map((action) => [JSON.stringify(action), action])).values()]
  host.rateLimits.push(
    fromJson(RateLimitActionsSchema, { stage: QUOTA_STAGE, actions: unique }, { registry: REGISTRY }),
  )
  return host
}

function grpcService({ host, port }: InboundPolicy): GrpcService {
  const envoyGrpc = create(GrpcService_EnvoyGrpcSchema, {
    clusterName: formatClusterName({ direction: 'outbound', port, subset: '', host }),
    authority: `outbound_.${port}_._.${host}`,
  })
  return create(GrpcServiceSchema, {
    targetSpecifier: { case: 'envoyGrpc', value: envoyGrpc },
    timeout: duration(TIMEOUT_MS),
  })
}

/** A descriptor has no empty values: what is empty is absent. */
function toldAction([descriptor_key, descriptor_value]: [string, string]): JsonObject[] {
  return descriptor_value === '' ? [] : [{ generic_key: { descriptor_key, descriptor_value } }]
}

/** Names that a caller's certificate says. */
const OF_PEER = /^source\.(principal|user|namespace|serviceAccount)$/
const PSEUDO: Readonly<Record<string, string>> = {
  'request.path': ':path',
  'request.method': ':method',
  'request.host': ':authority',
  'request.referer': 'referer',
  'request.useragent': 'user-agent',
}

/** What tells an attribute of a call, named as the mixer knows it; nothing for what is told already or cannot be. */
function readAction(reference: string): JsonObject[] {
  const open = reference.indexOf('[')
  const name = open < 0 ? reference : reference.slice(0, open)
  const key = open < 0 ? '' : reference.slice(open + 1, -1)
  // What no request can have would make Envoy refuse the whole listener.
  const header = name === 'request.headers' && isHeaderName(key) ? key.toLowerCase() : PSEUDO[name]
  if (header !== undefined) {
    return [{ request_headers: { header_name: header, descriptor_key: reference, skip_if_absent: true } }]
  }
  if (name === 'request.query_params' && key !== '') {
    return [{ query_parameters: { query_parameter_name: key, descriptor_key: reference, skip_if_absent: true } }]
  }
  if (name === 'request.url_path') return [expression(reference, 'request.url_path')]
  if (OF_PEER.test(name)) return [expression('source.principal', 'connection.uri_san_peer_certificate')]
  // By it the mixer knows whose pod it is.
  return name.startsWith('source.') ? [{ remote_address: {} }] : []
}

function expression(descriptor_key: string, text: string): JsonObject {
  const typed_config = { '@type': EXPRESSION, descriptor_key, text, skip_if_error: true }
  return { extension: { name: 'envoy.rate_limit_descriptors.expr', typed_config } }
}
