import type { LocalityLoadBalancerSetting } from '../../crds/kinds/destination-rule.ts'
import type { HTTPRetry } from '../../crds/kinds/virtual-service.ts'
import type { ExtensionProvider, MeshConfig } from '../../crds/mesh-config.ts'
import type { MtlsMode } from './peer-authentication.ts'

/** The settings of the whole mesh, with the names of Istio's MeshConfig (istio.io/latest/docs/reference/config/istio.mesh.v1alpha1). */
export interface MeshOptions {
  /** DNS domain of the cluster's services. */
  readonly domain: string
  readonly clusterId: string
  readonly rootNamespace: string
  readonly outboundTrafficPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY'
  readonly connectTimeoutMs: number
  readonly defaultServiceExportTo: readonly string[]
  readonly defaultVirtualServiceExportTo: readonly string[]
  readonly defaultDestinationRuleExportTo: readonly string[]
  /** The retries of every route that gives none of its own. */
  readonly defaultHttpRetryPolicy: HTTPRetry
  /** Which endpoints callers prefer where no rule says so: near ones, with `enabled` and where there is outlier detection. */
  readonly localityLbSetting: LocalityLoadBalancerSetting
  readonly h2UpgradePolicy: 'DO_NOT_UPGRADE' | 'UPGRADE'
  /** '' switches the access log off, where no Telemetry says otherwise. */
  readonly accessLogFile: string
  /** '' is the default of the encoding. */
  readonly accessLogFormat: string
  readonly accessLogEncoding: 'TEXT' | 'JSON'
  /** Connections that no filter chain takes are not logged. */
  readonly disableEnvoyListenerLog: boolean
  /** Calls are traced by the default provider. */
  readonly enableTracing: boolean
  /** Whom calls are told to where no Telemetry names anybody; names of `extensionProviders`. */
  readonly defaultProviders: NonNullable<MeshConfig['defaultProviders']>
  readonly tracing: NonNullable<NonNullable<MeshConfig['defaultConfig']>['tracing']>
  readonly dnsRefreshRateMs: number
  readonly proxyListenPort: number
  readonly proxyInboundListenPort: number
  /** The `server` header that gateways and inbound sidecars answer with. */
  readonly serverName: string
  /** Where proxies find the roots of their operating system, for TLS to servers outside of the mesh. */
  readonly systemRootsFile: string
  /** The first part of every identity. */
  readonly trustDomain: string
  /** Those by which the mesh was known before: a rule for its own means these too. */
  readonly trustDomainAliases: readonly string[]
  /** Whom policies may ask, by name. */
  readonly extensionProviders: readonly ExtensionProvider[]
  /** `host:port` of the mixer that inbound sidecars ask about calls, by Istio 1.4's names; '' for none. */
  readonly mixerCheckServer: string
  /** `host:port` of the mixer that inbound sidecars tell of calls; '' for none. */
  readonly mixerReportServer: string
  /** It is told of connections alone. */
  readonly disableMixerHttpReports: boolean
  readonly disablePolicyChecks: boolean
  /** Calls pass while it cannot be asked. */
  readonly policyCheckFailOpen: boolean
  /** How workloads are called that no PeerAuthentication speaks of. PERMISSIVE needs proxies with an identity. */
  readonly defaultMtlsMode: MtlsMode
  /** Workloads whose labels say that they have a proxy with an identity are called by mutual TLS, unless a rule says how. */
  readonly enableAutoMtls: boolean
  /** Where proxies get the roots that they trust: over the stream of everything else, or of their agents, with their certificates. */
  readonly trustBundleFrom: 'xds' | 'agent'
}

/** What a policy that does not say is about retries (Istio's pilot/pkg/networking/core/route/retry/retry.go). */
export const ISTIO_RETRY_ON = 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes'

/** What a route without a policy retries: nothing that may have been executed (decision 16). */
export const SAFE_RETRY_ON = 'connect-failure,refused-stream,retriable-status-codes'

export const DEFAULT_MESH_OPTIONS: MeshOptions = {
  domain: 'cluster.local',
  clusterId: 'Kubernetes',
  rootNamespace: 'istio-system',
  outboundTrafficPolicy: 'ALLOW_ANY',
  connectTimeoutMs: 10_000,
  defaultServiceExportTo: ['*'],
  defaultVirtualServiceExportTo: ['*'],
  defaultDestinationRuleExportTo: ['*'],
  defaultHttpRetryPolicy: { attempts: 2, retryOn: SAFE_RETRY_ON },
  localityLbSetting: { enabled: true },
  h2UpgradePolicy: 'DO_NOT_UPGRADE',
  accessLogFile: '',
  accessLogFormat: '',
  accessLogEncoding: 'TEXT',
  disableEnvoyListenerLog: false,
  enableTracing: true,
  defaultProviders: {},
  tracing: {},
  dnsRefreshRateMs: 60_000,
  proxyListenPort: 15_001,
  proxyInboundListenPort: 15_006,
  serverName: 'lateen',
  // Debian's and its kin's; also what Envoy's and our images have.
  systemRootsFile: '/etc/ssl/certs/ca-certificates.crt',
  trustDomain: 'cluster.local',
  trustDomainAliases: [],
  extensionProviders: [],
  mixerCheckServer: '',
  mixerReportServer: '',
  disableMixerHttpReports: false,
  disablePolicyChecks: false,
  policyCheckFailOpen: false,
  defaultMtlsMode: 'DISABLE',
  enableAutoMtls: false,
  trustBundleFrom: 'agent',
}

/** What Istio does by default, which needs proxies that have a certificate. */
export const MESH_WITH_IDENTITIES: Partial<MeshOptions> = {
  defaultMtlsMode: 'PERMISSIVE',
  enableAutoMtls: true,
  trustBundleFrom: 'xds',
}
