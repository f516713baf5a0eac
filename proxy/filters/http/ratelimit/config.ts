import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { ApiVersion } from '../../../../api/gen/envoy/config/core/v3/config_source_pb.js'
import {
  RateLimitPerRoute_OverrideOptions as OverrideOptions,
  type RateLimit,
  RateLimitPerRouteSchema,
  RateLimitSchema,
  RateLimitPerRoute_VhRateLimitsOptions as VhOptions,
  RateLimit_XRateLimitHeadersRFCVersion as XHeaders,
} from '../../../../api/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.js'
import type { VirtualHostLimits } from '../../../limits/rate-limit.ts'
import { durationMs } from '../../../plan/compile/common.ts'
import { compileMutation } from '../../../plan/compile/mutations.ts'
import type { HeaderMutation } from '../../../plan/header-mutations.ts'
import { refuse } from '../../../plan/plan-error.ts'
import { compileGrpcService, type GrpcServicePlan } from '../../ext-authz/grpc-service.ts'

export interface RateLimitConfig {
  readonly domain: string
  readonly stage: number
  readonly requestType: 'both' | 'internal' | 'external'
  readonly service: GrpcServicePlan
  readonly failureModeDeny: boolean
  readonly statusOnError: number
  readonly status: number
  readonly grpcStatus: number
  readonly writesLimitHeaders: boolean
  readonly saysRateLimited: boolean
  /** Of refusals. */
  readonly responseHeaders: HeaderMutation
  /** The names of its counters, of each cluster that calls go to. */
  countersOf(cluster: string): Counters
}

/** As Decision.counted has them. */
export interface Counters {
  readonly ok: string
  readonly overLimit: string
  readonly error: string
  readonly failureModeAllowed: string
}

/** What a route says otherwise. */
export interface RateLimitRouteConfig {
  readonly virtualHostLimits: VirtualHostLimits
  /** '' for that of the filter. */
  readonly domain: string
}

/** Envoy's. */
const DEFAULT_TIMEOUT_MS = 20
const MAX_STAGE = 10
const MAX_ADDED_HEADERS = 10
const DEFAULT_STATUS = 429
const GRPC = { unavailable: 14, resourceExhausted: 8 } as const
const REQUEST_TYPES = ['', 'both', 'internal', 'external']

/** envoy.extensions.filters.http.ratelimit.v3.RateLimit. Throws a PlanError that names the field. */
export function compileRateLimit(any: Any, path: string): RateLimitConfig {
  const config = anyUnpack(any, RateLimitSchema)
  if (config === undefined) return refuse(path, 'is not a RateLimit')
  const { domain, stage, requestType, responseHeadersToAdd, statPrefix } = config
  refuseUnsupported(config, path)
  const status = config.rateLimitedStatus?.code ?? 0
  return {
    domain,
    stage,
    requestType: requestType === 'internal' || requestType === 'external' ? requestType : 'both',
    service: {
      ...compileGrpcService(config.rateLimitService?.grpcService, `${path}.rate_limit_service.grpc_service`),
      timeoutMs: durationMs(config.timeout, DEFAULT_TIMEOUT_MS),
    },
    failureModeDeny: config.failureModeDeny,
    statusOnError: config.statusOnError?.code || 500,
    // Envoy answers 429 to whatever is no error.
    status: status < 400 ? DEFAULT_STATUS : status,
    grpcStatus: config.rateLimitedAsResourceExhausted ? GRPC.resourceExhausted : GRPC.unavailable,
    writesLimitHeaders: config.enableXRatelimitHeaders === XHeaders.DRAFT_VERSION_03,
    saysRateLimited: !config.disableXEnvoyRatelimitedHeader,
    responseHeaders: compileMutation(responseHeadersToAdd, [], `${path}.response_headers`),
    countersOf: namesOfCounters(statPrefix),
  }
}

/** What would let pass or stop other calls than the configuration means. */
function refuseUnsupported(config: RateLimit, path: string): void {
  if (config.domain === '') refuse(`${path}.domain`, 'is needed')
  if (config.stage > MAX_STAGE) refuse(`${path}.stage`, `at most ${MAX_STAGE}`)
  if (!REQUEST_TYPES.includes(config.requestType)) refuse(`${path}.request_type`, 'must be internal, external or both')
  if (config.responseHeadersToAdd.length > MAX_ADDED_HEADERS) {
    refuse(`${path}.response_headers_to_add`, `at most ${MAX_ADDED_HEADERS}`)
  }
  if (config.rateLimitService?.transportApiVersion === ApiVersion.V2) {
    refuse(`${path}.rate_limit_service.transport_api_version`, 'only V3 is spoken')
  }
  if ((config.$unknown ?? []).length > 0) refuse(path, 'has a field that is not supported')
}

export function compileRateLimitRoute(any: Any, path: string): RateLimitRouteConfig {
  const config = anyUnpack(any, RateLimitPerRouteSchema)
  if (config === undefined) return refuse(path, 'is not a RateLimitPerRoute')
  if (config.rateLimits.length > 0) refuse(`${path}.rate_limits`, 'not supported')
  if (config.overrideOption !== OverrideOptions.DEFAULT) refuse(`${path}.override_option`, 'not supported')
  if ((config.$unknown ?? []).length > 0) refuse(path, 'has a field that is not supported')
  return { virtualHostLimits: VIRTUAL_HOST_LIMITS[config.vhRateLimits], domain: config.domain }
}

const VIRTUAL_HOST_LIMITS = {
  [VhOptions.OVERRIDE]: 'override',
  [VhOptions.INCLUDE]: 'include',
  [VhOptions.IGNORE]: 'ignore',
} as const

/** Envoy's, below the cluster that a call goes to. */
function namesOfCounters(statPrefix: string): RateLimitConfig['countersOf'] {
  const known = new Map<string, Counters>()
  return (cluster) => {
    let names = known.get(cluster)
    if (names === undefined) {
      const name = (last: string) => `@${cluster} ratelimit.${statPrefix === '' ? '' : `${statPrefix}.`}${last}`
      names = {
        ok: name('ok'),
        overLimit: name('over_limit'),
        error: name('error'),
        failureModeAllowed: name('failure_mode_allowed'),
      }
      known.set(cluster, names)
    }
    return names
  }
}
