import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import type { Origin } from '../../api/origin.ts'
import type { PrefixTable } from '../../lib/prefix-table.ts'
import type { SafeRegex } from '../../lib/safe-regex.ts'
import type { HttpFilter } from '../filters/http/filter.ts'
import type { NetworkAuthorizationPlan } from '../filters/network/judgement.ts'
import type { ConnectionRateLimitPlan } from '../filters/network/local-ratelimit/config.ts'
import type { RateLimitPlan } from '../limits/rate-limit.ts'
import type { CallObserverPlan, ConnectionObserverPlan } from '../telemetry/observer.ts'
import type { Priority } from '../upstream/circuit-breaker.ts'
import type { BalancingPlan } from './balancing-plan.ts'
import type { FilterChainIndex } from './filter-chain-index.ts'
import type { HashPolicyPlan } from './hash-policy-plan.ts'
import type { HeaderMutations } from './header-mutations.ts'
import type { EndpointCheckPlan, HealthCheckPlan } from './health-check-plan.ts'
import type { HeaderMatcher, QueryMatcher } from './matchers.ts'
import type { MetadataMatcher } from './metadata-matcher.ts'
import type { OutlierPlan } from './outlier-plan.ts'
import type { RouteIndex } from './route-index.ts'
import { type BySecrets, NO_SECRETS, type Secrets } from './secret-plan.ts'
import type { Criterion, SubsetCriteria } from './subset-criteria.ts'
import type { DownstreamTlsPlan, UpstreamTlsPlan } from './tls-plan.ts'
import type { ServiceFacts, WorkloadFacts } from './workload.ts'

/*
 * The compiled form of xDS resources. Everything here is built off the request path, never changes afterwards, and
 * holds no protobuf message. Absent durations are 0 where Envoy means "off".
 */

/** All that one proxy currently serves. A new Plan replaces the old one in one assignment. */
export interface Plan {
  /** Grows by one with every replacement. */
  readonly version: number
  readonly listeners: ReadonlyMap<string, ListenerPlan>
  readonly routeConfigs: ReadonlyMap<string, RouteConfigPlan>
  readonly clusters: ReadonlyMap<string, ClusterPlan>
  /** Endpoints of clusters that discover them by EDS, by the name they are asked for. */
  readonly endpoints: ReadonlyMap<string, readonly EndpointPlan[]>
  /** Secrets that listeners and clusters refer to, as far as they are there. */
  readonly secrets: Secrets
}

export const EMPTY_PLAN: Plan = {
  version: 0,
  listeners: new Map(),
  routeConfigs: new Map(),
  clusters: new Map(),
  endpoints: new Map(),
  secrets: NO_SECRETS,
}

// --- listeners ---

export interface ListenerPlan {
  readonly name: string
  readonly address: string
  readonly port: number
  /** false for listeners that only take connections handed over by their original destination. */
  readonly bindToPort: boolean
  readonly useOriginalDst: boolean
  readonly trafficDirection: TrafficDirectionPlan
  /** What looks at a connection's first bytes, in order. */
  readonly listenerFilters: readonly ListenerFilterPlan[]
  /** 0 means never. */
  readonly listenerFiltersTimeoutMs: number
  /** What every connection takes a token from, before all else. */
  readonly rateLimits: readonly ConnectionRateLimitPlan[]
  /** After the time-out a connection goes on with what is known of it, instead of being closed. */
  readonly continueOnListenerFiltersTimeout: boolean
  readonly filterChains: readonly FilterChainPlan[]
  readonly defaultFilterChain: FilterChainPlan | undefined
  /** The chains by what they match. */
  readonly chainIndex: FilterChainIndex
  /** The chain of every connection, when nothing has to be looked at to know it. */
  readonly plainChain: FilterChainPlan | undefined
  /** Who is told of every connection's end, whatever served it. */
  readonly observers: readonly ConnectionObserverPlan[]
  /** Fields that were given and are not honoured, by their path. */
  readonly ignored: readonly string[]
  readonly origin: Origin | undefined
}

export type ListenerFilterPlan = {
  /** Whether connections to this port pass the filter by (`filter_disabled`). */
  readonly isDisabled: ((destinationPort: number) => boolean) | undefined
} & (
  | { readonly kind: 'original_dst' }
  | { readonly kind: 'tls_inspector' }
  | { readonly kind: 'http_inspector' }
  | {
      readonly kind: 'proxy_protocol'
      /** Connections without a header are taken too. */
      readonly isOptional: boolean
      readonly versions: { readonly v1: boolean; readonly v2: boolean }
    }
)

/** Envoy's filter chain match, in the order of its evaluation (envoy.config.listener.v3.FilterChainMatch). */
export interface FilterChainMatchPlan {
  readonly destinationPort: number | undefined
  readonly prefixRanges: readonly CidrPlan[]
  /** Lower-case; `*.suffix` for a wildcard. */
  readonly serverNames: readonly string[]
  readonly transportProtocol: string
  readonly applicationProtocols: readonly string[]
  readonly directSourcePrefixRanges: readonly CidrPlan[]
  readonly sourceType: SourceType
  readonly sourcePrefixRanges: readonly CidrPlan[]
  readonly sourcePorts: readonly number[]
}

/** `local`: the source is a loopback address or the destination's own. */
export type SourceType = 'any' | 'local' | 'external'

export interface CidrPlan {
  readonly address: string
  readonly prefixLength: number
}

export interface FilterChainPlan {
  readonly name: string
  readonly match: FilterChainMatchPlan
  /** undefined for plain text. */
  readonly tls: BySecrets<DownstreamTlsPlan> | undefined
  /** Time for the transport socket's handshake. */
  readonly handshakeTimeoutMs: number
  readonly connectionLimit: ConnectionLimitPlan | undefined
  /** Who may connect; judged in order. */
  readonly authorization: readonly NetworkAuthorizationPlan[]
  readonly filter: HttpManagerPlan | TcpProxyPlan
}

/** envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit. */
export interface ConnectionLimitPlan {
  readonly statPrefix: string
  readonly maxConnections: number
  /** How long a connection above the limit is kept before it is closed. */
  readonly delayMs: number
}

/** forward_client_cert_details and set_current_client_cert_details. */
export interface ClientCertificatePlan {
  readonly mode: 'forward_only' | 'append_forward' | 'sanitize_set' | 'always_forward_only'
  readonly cert: boolean
  readonly chain: boolean
  readonly subject: boolean
  readonly uri: boolean
  readonly dns: boolean
}

/** envoy.config.core.v3.TrafficDirection. */
export type TrafficDirectionPlan = 'inbound' | 'outbound' | 'unspecified'

export interface HttpManagerPlan {
  readonly kind: 'http'
  readonly statPrefix: string
  /** Name of a route configuration of the Plan, when `routes` is undefined. */
  readonly routeConfigName: string
  /** An inline route configuration. */
  readonly routes: RouteConfigPlan | undefined
  readonly filters: readonly HttpFilterPlan[]
  readonly useRemoteAddress: boolean
  /** How many entries of X-Forwarded-For, from its end, proxies in front of us wrote that are to be believed. */
  readonly xffNumTrustedHops: number
  readonly skipXffAppend: boolean
  /** What is said onward of a client's certificate; undefined for nothing (SANITIZE). */
  readonly clientCertificate: ClientCertificatePlan | undefined
  /** Clients whose requests come from inside; undefined when none do. */
  readonly internalAddresses: PrefixTable<true> | undefined
  readonly normalizePath: boolean
  readonly mergeSlashes: boolean
  readonly escapedSlashes: 'keep' | 'reject' | 'unescape' | 'redirect'
  readonly acceptHttp10: boolean
  readonly allowCustomMethods: boolean
  readonly generateRequestId: boolean
  readonly preserveExternalRequestId: boolean
  readonly serverHeader: 'overwrite' | 'append_if_absent' | 'pass_through'
  readonly serverName: string
  readonly via: string
  /** Lower-case upgrade tokens that may pass. */
  readonly upgrades: ReadonlySet<string>
  readonly idleTimeoutMs: number
  readonly streamIdleTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly requestHeadersTimeoutMs: number
  readonly maxRequestHeadersBytes: number
  readonly stripHostPort: boolean
  /** `auto`: by ALPN, or by the first bytes. */
  readonly codec: 'auto' | 'http1' | 'http2'
  /** HTTP/2: requests under way on one connection. */
  readonly maxConcurrentStreams: number
  /** Access logs, metrics and spans, in the order in which they see a call. */
  readonly observers: readonly CallObserverPlan[]
}

/** One filter of a connection manager's chain. */
export interface HttpFilterPlan {
  readonly filter: HttpFilter
  /** In its chain: under it routes say what is different for them. */
  readonly name: string
  /** The filter's compiled configuration; its shape is the filter's own. */
  readonly config: unknown
}

export interface TcpProxyPlan {
  readonly kind: 'tcp'
  readonly statPrefix: string
  readonly clusters: WeightedChoice
  readonly idleTimeoutMs: number
  /** Connections of the same client go to the same host, where the cluster balances by hashes. */
  readonly hashesSourceIp: boolean
  /** How many hosts are tried when connecting fails. */
  readonly maxConnectAttempts: number
  readonly observers: readonly ConnectionObserverPlan[]
}

// --- routes ---

export interface RouteConfigPlan {
  readonly name: string
  readonly virtualHosts: readonly VirtualHostPlan[]
  /** The virtual hosts come one by one (VHDS); those above are the ones that have come. */
  readonly usesVhds: boolean
  readonly domains: DomainIndex
  readonly ignorePortInHost: boolean
  readonly mostSpecificMutationsWin: boolean
  readonly mutations: HeaderMutations
  readonly filterConfigs: FilterConfigs
  /** Fields that were given and are not honoured, by their path. */
  readonly ignored: readonly string[]
}

export interface DomainIndex {
  readonly exact: ReadonlyMap<string, VirtualHostPlan>
  /** `*.suffix` and `*-suffix` without the star, longest first. */
  readonly suffixes: readonly (readonly [suffix: string, host: VirtualHostPlan])[]
  /** `prefix.*` without the star, longest first. */
  readonly prefixes: readonly (readonly [prefix: string, host: VirtualHostPlan])[]
  readonly any: VirtualHostPlan | undefined
}

/** A filter's configuration for one route, virtual host or route configuration, by filter name. */
export type FilterConfigs = ReadonlyMap<string, unknown>

export interface VirtualHostPlan {
  readonly name: string
  readonly domains: readonly string[]
  readonly routes: readonly RoutePlan[]
  /** undefined when there are few. */
  readonly routeIndex: RouteIndex | undefined
  readonly mutations: HeaderMutations
  readonly retry: RetryPlan | undefined
  readonly hedges: boolean
  readonly includeAttemptCount: boolean
  readonly includeAttemptCountInResponse: boolean
  /** Says on retries whether a time-out was the reason. */
  readonly includeIsTimeoutRetry: boolean
  /** What calls are counted under by filters that limit them. */
  readonly rateLimits: readonly RateLimitPlan[]
  readonly filterConfigs: FilterConfigs
  /** Like that of a route configuration, for a virtual host that comes apart; otherwise empty. */
  readonly ignored: readonly string[]
  readonly origin: Origin | undefined
}

/** What spans of a route's calls are called. */
export interface DecoratorPlan {
  readonly operation: string
  /** The upstream is told of it. */
  readonly propagate: boolean
}

export interface RoutePlan {
  readonly name: string
  readonly match: RouteMatchPlan
  readonly action: RouteActionPlan
  readonly mutations: HeaderMutations
  readonly filterConfigs: FilterConfigs
  readonly decorator?: DecoratorPlan | undefined
  readonly origin: Origin | undefined
}

export type PathMatchPlan =
  | { readonly kind: 'prefix'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'path'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'path_separated_prefix'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'regex'; readonly regex: SafeRegex }
  | { readonly kind: 'connect' }

export interface RouteMatchPlan {
  readonly path: PathMatchPlan
  readonly headers: readonly HeaderMatcher[]
  readonly query: readonly QueryMatcher[]
  /** What filters must have found out. */
  readonly metadata: readonly MetadataMatcher[]
  readonly fraction: Fraction | undefined
  readonly grpcOnly: boolean
}

/** `numerator` of `denominator` requests (envoy.type.v3.FractionalPercent). */
export interface Fraction {
  readonly numerator: number
  readonly denominator: number
}

export type RouteActionPlan = ForwardPlan | RedirectPlan | DirectResponsePlan

export interface ForwardPlan {
  readonly kind: 'forward'
  readonly clusters: WeightedChoice
  readonly clusterNotFoundStatus: number
  readonly rewrite: PathRewritePlan | undefined
  readonly hostRewrite: string
  readonly autoHostRewrite: boolean
  readonly timeoutMs: number
  /** undefined: the connection manager's. */
  readonly idleTimeoutMs: number | undefined
  /** Of a gRPC call: at most this long, by its grpc-timeout less the offset (`max_grpc_timeout`); undefined: the time-out. */
  readonly maxGrpcTimeoutMs: number | undefined
  readonly grpcTimeoutOffsetMs: number
  readonly maxDuration: MaxDurationPlan | undefined
  readonly retry: RetryPlan | undefined
  /** Whether a try that takes too long gets a rival; undefined: as the virtual host says. */
  readonly hedges: boolean | undefined
  readonly priority: Priority
  readonly mirrors: readonly MirrorPlan[]
  /** What is hashed where the cluster balances by hashes. */
  readonly hashPolicies: readonly HashPolicyPlan[]
  /** Lower-case upgrade tokens that may pass here, or may not, whatever the connection manager says. */
  readonly upgrades: ReadonlyMap<string, boolean>
  /** undefined: a CONNECT is forwarded as one. */
  readonly connect: ConnectPlan | undefined
  readonly rateLimits: readonly RateLimitPlan[]
}

/** envoy.config.route.v3.RouteAction.MaxStreamDuration: from the request's start to its answer's end. 0 is no bound. */
export interface MaxDurationPlan {
  readonly maxMs: number
  /** Of a call with grpc-timeout: that, at most this, less the offset; undefined: as others. */
  readonly grpcMaxMs: number | undefined
  readonly grpcOffsetMs: number
}

/**
 * envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig: a CONNECT ends here, and its bytes go to the upstream host as
 * they are.
 */
export interface ConnectPlan {
  /** The content of a POST too, and the host's bytes are the answer's. */
  readonly allowPost: boolean
  /** Version of the PROXY header that is sent before the bytes. */
  readonly proxyProtocol: 'v1' | 'v2' | undefined
}

export interface WeightedChoice {
  readonly entries: readonly WeightedClusterPlan[]
  readonly totalWeight: number
}

export interface WeightedClusterPlan {
  readonly cluster: string
  /** The subset of its hosts that is asked for. */
  readonly criteria: SubsetCriteria | undefined
  readonly weight: number
  readonly mutations: HeaderMutations
  readonly hostRewrite: string
  readonly filterConfigs: FilterConfigs
}

export type PathRewritePlan =
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly regex: SafeRegex; readonly substitution: string }

export interface RedirectPlan {
  readonly kind: 'redirect'
  readonly status: number
  readonly httpsRedirect: boolean
  readonly scheme: string
  readonly host: string
  readonly port: number
  readonly path: string
  readonly prefixRewrite: string | undefined
  readonly regexRewrite: { readonly regex: SafeRegex; readonly substitution: string } | undefined
  readonly stripQuery: boolean
}

export interface DirectResponsePlan {
  readonly kind: 'direct_response'
  readonly status: number
  readonly body: Buffer
}

export interface MirrorPlan {
  readonly cluster: string
  readonly fraction: Fraction | undefined
  readonly shadowSuffix: boolean
}

/** envoy.config.route.v3.RetryPolicy. */
export interface RetryPlan {
  /** Conditions, by their names in `retry_on`. */
  readonly on: ReadonlySet<string>
  readonly statuses: ReadonlySet<number>
  /** Of an answer that is tried again (`retriable_headers`). */
  readonly headers: readonly HeaderMatcher[]
  /** Of requests that are tried again; none means all. */
  readonly requestHeaders: readonly HeaderMatcher[]
  /** An answer below 400 may have to be tried again. */
  readonly looksAtSuccess: boolean
  /** There is a condition about gRPC statuses. */
  readonly looksAtGrpc: boolean
  readonly attempts: number
  /** 0 is none. */
  readonly perTryTimeoutMs: number
  readonly perTryIdleTimeoutMs: number
  readonly backoffBaseMs: number
  readonly backoffMaxMs: number
  readonly rateLimited: RateLimitedBackOffPlan | undefined
  readonly avoidPreviousHosts: boolean
  readonly hostSelectionAttempts: number
  /** A request that may be repeated is tried again when its connection breaks before the answer, whatever `on` says. */
  readonly repeatsIdempotent: boolean
  /** Retries turn to priorities that were not tried, anew after so many tries; 0: to any, as other requests. */
  readonly priorityUpdateFrequency: number
  /** The request is none of those that are tried again (`retriable_request_headers`). It may get a rival. */
  readonly isForOthers: boolean
}

/** Fields of an answer that say when to come back, in seconds from now or since 1970. */
export interface RateLimitedBackOffPlan {
  readonly resetHeaders: readonly { readonly name: string; readonly isTimestamp: boolean }[]
  readonly maxMs: number
}

// --- clusters ---

export interface ClusterPlan {
  readonly name: string
  readonly discovery: 'static' | 'eds' | 'strict_dns' | 'logical_dns' | 'original_dst'
  /** The name under which endpoints are asked for, when discovery is `eds`. */
  readonly edsServiceName: string
  /** How hosts are called that no match below is for; undefined for plain text. */
  readonly tls: BySecrets<UpstreamTlsPlan> | undefined
  /** The first that a host's metadata meets says how it is called. */
  readonly socketMatches: readonly SocketMatchPlan[]
  /** Tells whether another version of the cluster says the same about `tls` and `socketMatches`. */
  readonly socketsKey: string
  readonly balancing: BalancingPlan
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxRequestsPerConnection: number
  /** `auto`: by ALPN. `downstream`: to each client's requests in the client's own. */
  readonly protocol: 'http1' | 'http2' | 'auto' | 'downstream'
  /** HTTP/2: most exchanges at a time on one connection. */
  readonly maxConcurrentStreams: number
  readonly limits: CircuitBreakerPlan
  /** For requests of routes with priority HIGH. */
  readonly highLimits: CircuitBreakerPlan
  /** A priority of which less is healthy is in panic: the health of its hosts is not looked at. A whole number. */
  readonly panicThresholdPercent: number
  /** In panic nobody is chosen. */
  readonly failsInPanic: boolean
  /** The localities of a priority share its load by their weights. */
  readonly localityWeighted: boolean
  /** undefined: all hosts are one set. */
  readonly subsets: SubsetPlan | undefined
  readonly dnsRefreshMs: number
  readonly outlier: OutlierPlan | undefined
  readonly healthCheck: HealthCheckPlan | undefined
  /** A host that is no longer told of goes at once, though its checks succeed. */
  readonly ignoresHealthOnHostRemoval: boolean
  /** Connections to a host that becomes unhealthy are closed when they are idle. */
  readonly closesOnHealthFailure: boolean
  /** Whose cluster it is, for metrics (the first of `services` of the metadata of istio). */
  readonly service?: ServiceFacts | undefined
  /** Endpoints of the resource itself; those of EDS come apart. */
  readonly endpoints: readonly EndpointPlan[]
  /** Fields that were given and are not honoured, by their path. */
  readonly ignored: readonly string[]
  readonly origin: Origin | undefined
  /** Changes with the resource; a cluster of an equal version is kept as it runs. */
  readonly resourceVersion: string
}

export interface CircuitBreakerPlan {
  readonly maxConnections: number
  readonly maxPendingRequests: number
  readonly maxRequests: number
  /** At a time. Counts where there is no budget. */
  readonly maxRetries: number
  readonly retryBudget: RetryBudgetPlan | undefined
  /** Infinity where there is no limit. */
  readonly maxConnectionsPerHost: number
  readonly trackRemaining: boolean
}

/**
 * envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget: retries under way, as a percentage of requests that are; and
 * over time, as the same percentage of those that succeeded (proxy/upstream/retry-window.ts).
 */
export interface RetryBudgetPlan {
  readonly percent: number
  readonly minConcurrency: number
}

/** envoy.config.cluster.v3.Cluster.LbSubsetConfig. */
export interface SubsetPlan {
  /** Who serves requests that ask for no subset that there is. */
  readonly fallback: 'none' | 'any' | 'default'
  readonly defaultSubset: SubsetCriteria
  readonly selectors: readonly SubsetSelectorPlan[]
  readonly usesLocalityWeights: boolean
  /** When nobody else can, any host serves. */
  readonly panicModeAny: boolean
}

export interface SubsetSelectorPlan {
  /** Sorted. */
  readonly keys: readonly string[]
  /** As `SubsetCriteria.keysId`. */
  readonly keysId: string
  /** Who serves requests with these keys, and values that no host has; `cluster` as the cluster says. */
  readonly fallback: 'cluster' | 'none' | 'any' | 'default' | 'keys'
  /** With `keys`: those that are looked for instead. */
  readonly fallbackKeys: readonly string[]
}

/** envoy.config.cluster.v3.Cluster.TransportSocketMatch. */
export interface SocketMatchPlan {
  readonly name: string
  /** What the metadata must have, with these values; nothing means any host. */
  readonly criteria: readonly (readonly [key: string, value: JsonValue])[]
  readonly tls: BySecrets<UpstreamTlsPlan> | undefined
}

export interface EndpointPlan {
  readonly address: string
  readonly port: number
  /** Path of a unix socket, or ''. */
  readonly unixPath: string
  readonly hostname: string
  readonly weight: number
  readonly priority: number
  /** `region/zone/subzone`, or ''. */
  readonly locality: string
  /** What its locality weighs among those of its priority; 0 where nothing is said. */
  readonly localityWeight: number
  /** What its assignment says of all of its endpoints. */
  readonly policy: EndpointPolicyPlan
  readonly healthy: boolean
  /** Healthy, and not to be used before others have no room. */
  readonly degraded: boolean
  /** Not healthy, and not to be counted among those that should be. */
  readonly draining: boolean
  /** What subsets are made by (`filter_metadata` of envoy.lb). */
  readonly subsetMetadata: readonly Criterion[]
  /** What its cluster's socket matches are compared with (`filter_metadata` of envoy.transport_socket_match). */
  readonly socketMetadata: JsonObject | undefined
  /** What is hashed of it in the place of its address, or '' (`hash_key` of the metadata of envoy.lb). */
  readonly hashKey: string
  /** Who answers there, for metrics (`workload` of the metadata of istio). */
  readonly workload?: WorkloadFacts | undefined
  /** How this endpoint is checked, where that differs from its cluster's way. */
  readonly healthCheck?: EndpointCheckPlan | undefined
}

/** envoy.config.endpoint.v3.ClusterLoadAssignment.Policy. */
export interface EndpointPolicyPlan {
  readonly overprovisioningPercent: number
  /** How much of a priority is healthy is reckoned by the weights of its hosts, and not by their number. */
  readonly weighsHealth: boolean
}

export const DEFAULT_ENDPOINT_POLICY: EndpointPolicyPlan = { overprovisioningPercent: 140, weighsHealth: false }
