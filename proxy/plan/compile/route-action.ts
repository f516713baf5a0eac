import { type DataSource, RoutingPriority } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import { ProxyProtocolConfig_Version as ProxyVersion } from '../../../api/gen/envoy/config/core/v3/proxy_protocol_pb.js'
import {
  type DirectResponseAction,
  type RouteAction_RequestMirrorPolicy as MirrorPolicy,
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  type RedirectAction,
  RedirectAction_RedirectResponseCode as RedirectCode,
  type Route,
  type RouteAction,
  type RouteAction_UpgradeConfig as UpgradeConfig,
  type WeightedCluster,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { compileFilterConfigs } from '../../filters/http/builtin.ts'
import { PRIORITY } from '../../upstream/circuit-breaker.ts'
import { NO_MUTATIONS } from '../header-mutations.ts'
import type {
  ConnectPlan,
  DirectResponsePlan,
  ForwardPlan,
  MirrorPlan,
  PathRewritePlan,
  RedirectPlan,
  RouteActionPlan,
  WeightedChoice,
} from '../plan.ts'
import { refuse } from '../plan-error.ts'
import type { SubsetCriteria } from '../subset-criteria.ts'
import { wireText } from '../wire-text.ts'
import { compileFraction, durationMs } from './common.ts'
import { compileHashPolicies, compileSubstitution } from './hash-policy.ts'
import { compileMutations } from './mutations.ts'
import { compileRateLimits } from './rate-limits.ts'
import { compileHedge, compileRetry } from './retry.ts'
import { compileMetadataMatch } from './subsets.ts'

/** Envoy's default when a route names no time-out; 0 switches it off. */
const DEFAULT_ROUTE_TIMEOUT_MS = 15_000
/** Envoy's max_direct_response_body_size_bytes is 4 KiB; Istio lets a body of 1 MiB through, and so do we. */
const MAX_DIRECT_RESPONSE_BYTES = 1024 * 1024

export function compileAction(action: Route['action'], path: string): RouteActionPlan {
  switch (action.case) {
    case 'route':
      return compileForward(action.value, `${path}.route`)
    case 'redirect':
      return compileRedirect(action.value, `${path}.redirect`)
    case 'directResponse':
      return compileDirectResponse(action.value, `${path}.direct_response`)
    default:
      return refuse(path, `action ${action.case ?? 'missing'} is not supported`)
  }
}

function compileForward(action: RouteAction, path: string): ForwardPlan {
  if (action.internalRedirectPolicy !== undefined) refuse(`${path}.internal_redirect_policy`, 'not supported')

  const host = action.hostRewriteSpecifier
  if (host.case !== undefined && host.case !== 'hostRewriteLiteral' && host.case !== 'autoHostRewrite') {
    refuse(path, `host rewrite ${host.case} is not supported`)
  }
  return {
    kind: 'forward',
    clusters: compileClusters(action.clusterSpecifier, compileMetadataMatch(action.metadataMatch), path),
    clusterNotFoundStatus: NOT_FOUND_STATUS[action.clusterNotFoundResponseCode],
    rewrite: compileRewrite(action, path),
    hostRewrite: host.case === 'hostRewriteLiteral' ? wireText(host.value, `${path}.host_rewrite_literal`) : '',
    autoHostRewrite: host.case === 'autoHostRewrite' && host.value.value,
    timeoutMs: durationMs(action.timeout, DEFAULT_ROUTE_TIMEOUT_MS),
    idleTimeoutMs: action.idleTimeout === undefined ? undefined : durationMs(action.idleTimeout, 0),
    maxGrpcTimeoutMs: action.maxGrpcTimeout && durationMs(action.maxGrpcTimeout, 0),
    grpcTimeoutOffsetMs: durationMs(action.grpcTimeoutOffset, 0),
    maxDuration: action.maxStreamDuration && {
      maxMs: durationMs(action.maxStreamDuration.maxStreamDuration, 0),
      grpcMaxMs:
        action.maxStreamDuration.grpcTimeoutHeaderMax && durationMs(action.maxStreamDuration.grpcTimeoutHeaderMax, 0),
      grpcOffsetMs: durationMs(action.maxStreamDuration.grpcTimeoutHeaderOffset, 0),
    },
    hedges: action.hedgePolicy && compileHedge(action.hedgePolicy, `${path}.hedge_policy`),
    priority: action.priority === RoutingPriority.HIGH ? PRIORITY.high : PRIORITY.default,
    retry: action.retryPolicy === undefined ? undefined : compileRetry(action.retryPolicy, `${path}.retry_policy`),
    mirrors: action.requestMirrorPolicies.map((mirror, i) =>
      compileMirror(mirror, `${path}.request_mirror_policies[${i}]`),
    ),
    hashPolicies: compileHashPolicies(action.hashPolicy, `${path}.hash_policy`),
    rateLimits: compileRateLimits(action.rateLimits, `${path}.rate_limits`),
    ...compileUpgrades(action.upgradeConfigs, `${path}.upgrade_configs`),
  }
}

const PROXY_VERSION = { [ProxyVersion.V1]: 'v1', [ProxyVersion.V2]: 'v2' } as const

function compileUpgrades(configs: readonly UpgradeConfig[], path: string): Pick<ForwardPlan, 'upgrades' | 'connect'> {
  const upgrades = new Map<string, boolean>()
  let connect: ConnectPlan | undefined
  for (const [i, { upgradeType, enabled, connectConfig }] of configs.entries()) {
    const type = upgradeType.toLowerCase()
    if (upgrades.has(type)) refuse(`${path}[${i}].upgrade_type`, `${upgradeType} is there already`)
    upgrades.set(type, enabled ?? true)
    if (connectConfig === undefined) continue
    const at = `${path}[${i}].connect_config`
    if (type !== 'connect') refuse(at, `is for CONNECT, and not for ${upgradeType}`)
    const { allowPost, proxyProtocolConfig } = connectConfig
    if (proxyProtocolConfig?.passThroughTlvs !== undefined) {
      refuse(`${at}.proxy_protocol_config.pass_through_tlvs`, 'not supported')
    }
    connect = { allowPost, proxyProtocol: proxyProtocolConfig && PROXY_VERSION[proxyProtocolConfig.version] }
  }
  return { upgrades, connect }
}

const NOT_FOUND_STATUS = {
  [NotFoundCode.SERVICE_UNAVAILABLE]: 503,
  [NotFoundCode.NOT_FOUND]: 404,
  [NotFoundCode.INTERNAL_SERVER_ERROR]: 500,
}

function compileClusters(
  specifier: RouteAction['clusterSpecifier'],
  criteria: SubsetCriteria | undefined,
  path: string,
): WeightedChoice {
  if (specifier.case === 'cluster') return singleCluster(specifier.value, criteria)
  if (specifier.case === 'weightedClusters') {
    return compileWeighted(specifier.value, criteria, `${path}.weighted_clusters`)
  }
  return refuse(path, `cluster specifier ${specifier.case ?? 'missing'} is not supported`)
}

export function singleCluster(cluster: string, criteria?: SubsetCriteria): WeightedChoice {
  const entry = { cluster, criteria, weight: 1, mutations: NO_MUTATIONS, hostRewrite: '', filterConfigs: new Map() }
  return { entries: [entry], totalWeight: 1 }
}

function compileWeighted(
  weighted: WeightedCluster,
  criteria: SubsetCriteria | undefined,
  path: string,
): WeightedChoice {
  const entries = weighted.clusters.map((cluster, i) => {
    const at = `${path}.clusters[${i}]`
    if (cluster.name === '') refuse(`${at}.name`, 'a cluster name is needed')
    const host = cluster.hostRewriteSpecifier
    return {
      cluster: cluster.name,
      criteria: compileMetadataMatch(cluster.metadataMatch, criteria),
      weight: cluster.weight ?? 0,
      mutations: compileMutations(cluster, at),
      hostRewrite: host.case === 'hostRewriteLiteral' ? wireText(host.value, `${at}.host_rewrite_literal`) : '',
      filterConfigs: compileFilterConfigs(cluster.typedPerFilterConfig, at),
    }
  })
  const totalWeight = entries.reduce((sum, entry) => sum + entry.weight, 0)
  if (totalWeight < 1 || totalWeight > 0xffff_ffff) refuse(path, `total weight ${totalWeight} must be 1 to 4294967295`)
  return { entries, totalWeight }
}

function compileRewrite(action: RouteAction, path: string): PathRewritePlan | undefined {
  if (action.regexRewrite !== undefined) {
    return { kind: 'regex', ...compileSubstitution(action.regexRewrite, `${path}.regex_rewrite`) }
  }
  if (action.pathRewritePolicy !== undefined) refuse(`${path}.path_rewrite_policy`, 'not supported')
  return action.prefixRewrite === ''
    ? undefined
    : { kind: 'prefix', value: wireText(action.prefixRewrite, `${path}.prefix_rewrite`) }
}

function compileMirror(mirror: MirrorPolicy, path: string): MirrorPlan {
  if (mirror.cluster === '') refuse(`${path}.cluster`, 'a cluster name is needed')
  return {
    cluster: mirror.cluster,
    fraction: compileFraction(mirror.runtimeFraction?.defaultValue),
    shadowSuffix: !mirror.disableShadowHostSuffixAppend,
  }
}

const REDIRECT_STATUS = {
  [RedirectCode.MOVED_PERMANENTLY]: 301,
  [RedirectCode.FOUND]: 302,
  [RedirectCode.SEE_OTHER]: 303,
  [RedirectCode.TEMPORARY_REDIRECT]: 307,
  [RedirectCode.PERMANENT_REDIRECT]: 308,
}

function compileRedirect(redirect: RedirectAction, path: string): RedirectPlan {
  const scheme = redirect.schemeRewriteSpecifier
  const rewrite = redirect.pathRewriteSpecifier
  return {
    kind: 'redirect',
    status: REDIRECT_STATUS[redirect.responseCode],
    httpsRedirect: scheme.case === 'httpsRedirect' && scheme.value,
    scheme: scheme.case === 'schemeRedirect' ? wireText(scheme.value, `${path}.scheme_redirect`) : '',
    host: wireText(redirect.hostRedirect, `${path}.host_redirect`),
    port: redirect.portRedirect,
    path: rewrite.case === 'pathRedirect' ? wireText(rewrite.value, `${path}.path_redirect`) : '',
    prefixRewrite: rewrite.case === 'prefixRewrite' ? wireText(rewrite.value, `${path}.prefix_rewrite`) : undefined,
    regexRewrite:
      rewrite.case === 'regexRewrite' ? compileSubstitution(rewrite.value, `${path}.regex_rewrite`) : undefined,
    stripQuery: redirect.stripQuery,
  }
}

function compileDirectResponse(response: DirectResponseAction, path: string): DirectResponsePlan {
  if (response.status < 200 || response.status > 599) refuse(`${path}.status`, 'must be 200 to 599')
  const body = response.body === undefined ? Buffer.alloc(0) : inlineBytes(response.body, `${path}.body`)
  if (body.length > MAX_DIRECT_RESPONSE_BYTES) refuse(`${path}.body`, `at most ${MAX_DIRECT_RESPONSE_BYTES} bytes`)
  return { kind: 'direct_response', status: response.status, body }
}

function inlineBytes(source: DataSource, path: string): Buffer {
  const { specifier } = source
  if (specifier.case === 'inlineString') return Buffer.from(specifier.value, 'utf8')
  if (specifier.case === 'inlineBytes') return Buffer.from(specifier.value)
  return refuse(path, `data source ${specifier.case ?? 'missing'} is not supported`)
}
