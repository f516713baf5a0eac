import type { TObject } from '@sinclair/typebox'
import { AuthorizationPolicyBody } from './kinds/authorization-policy.ts'
import { DeploymentBody } from './kinds/deployment.ts'
import { DestinationRuleBody } from './kinds/destination-rule.ts'
import { EndpointSliceBody } from './kinds/endpoint-slice.ts'
import { EndpointsBody } from './kinds/endpoints.ts'
import { EnvoyFilterBody } from './kinds/envoy-filter.ts'
import { GatewayBody } from './kinds/gateway.ts'
import {
  AttributeManifestBody,
  HandlerBody,
  InstanceBody,
  QuotaSpecBindingBody,
  QuotaSpecBody,
  RuleBody,
  TYPED_HANDLERS,
  TYPED_INSTANCES,
  TypedBody,
} from './kinds/mixer.ts'
import { PeerAuthenticationBody } from './kinds/peer-authentication.ts'
import { PodBody } from './kinds/pod.ts'
import { RateLimitBody } from './kinds/rate-limit.ts'
import { RequestAuthenticationBody } from './kinds/request-authentication.ts'
import { SecretBody } from './kinds/secret.ts'
import { ServiceBody } from './kinds/service.ts'
import { ServiceEntryBody } from './kinds/service-entry.ts'
import { SidecarBody } from './kinds/sidecar.ts'
import { TelemetryBody } from './kinds/telemetry.ts'
import { VirtualServiceBody } from './kinds/virtual-service.ts'
import { WorkloadEntryBody } from './kinds/workload-entry.ts'

/** One kind of object that we take. */
export interface KindInfo {
  /** API group; '' is Kubernetes' core group. */
  readonly group: string
  /** The versions that we take, the stored one first. All share one schema. */
  readonly versions: readonly string[]
  readonly kind: string
  readonly plural: string
  readonly shortNames: readonly string[]
  readonly scope: 'Namespaced' | 'Cluster'
  /** Of the whole object. */
  readonly schema: TObject
  /** Whether users apply a CRD of ours for it. Kubernetes' own kinds come with the cluster. */
  readonly ours: boolean
}

function networking(kind: string, plural: string, shortNames: string[], schema: TObject): KindInfo {
  const versions = ['v1', 'v1beta1', 'v1alpha3']
  return { group: 'networking.istio.io', versions, kind, plural, shortNames, scope: 'Namespaced', schema, ours: true }
}

function security(kind: string, plural: string, shortNames: string[], schema: TObject): KindInfo {
  const versions = ['v1', 'v1beta1']
  return { group: 'security.istio.io', versions, kind, plural, shortNames, scope: 'Namespaced', schema, ours: true }
}

/** Of ours alone. */
function lateen(kind: string, plural: string, shortNames: string[], schema: TObject): KindInfo {
  const versions = ['v1alpha1']
  return { group: 'lateen.mesh', versions, kind, plural, shortNames, scope: 'Namespaced', schema, ours: true }
}

function policy(kind: string, plural: string, schema: TObject): KindInfo {
  const versions = ['v1alpha2']
  return { group: 'config.istio.io', versions, kind, plural, shortNames: [], scope: 'Namespaced', schema, ours: true }
}

/** The kinds from before handler and instance, one for each adapter and template. */
function typed(kinds: Readonly<Record<string, string>>): KindInfo[] {
  return Object.entries(kinds).map(([kind, plural]) => policy(kind, plural, TypedBody))
}

function kubernetes(group: string, versions: string[], kind: string, plural: string, schema: TObject): KindInfo {
  return { group, versions, kind, plural, shortNames: [], scope: 'Namespaced', schema, ours: false }
}

export const KINDS: readonly KindInfo[] = [
  networking('VirtualService', 'virtualservices', ['vs'], VirtualServiceBody),
  networking('DestinationRule', 'destinationrules', ['dr'], DestinationRuleBody),
  networking('Gateway', 'gateways', ['gw'], GatewayBody),
  networking('Sidecar', 'sidecars', [], SidecarBody),
  networking('ServiceEntry', 'serviceentries', ['se'], ServiceEntryBody),
  networking('WorkloadEntry', 'workloadentries', ['we'], WorkloadEntryBody),
  security('PeerAuthentication', 'peerauthentications', ['pa'], PeerAuthenticationBody),
  security('RequestAuthentication', 'requestauthentications', ['ra'], RequestAuthenticationBody),
  security('AuthorizationPolicy', 'authorizationpolicies', ['ap'], AuthorizationPolicyBody),
  { ...networking('EnvoyFilter', 'envoyfilters', [], EnvoyFilterBody), versions: ['v1alpha3'] },
  {
    ...security('Telemetry', 'telemetries', ['telemetry'], TelemetryBody),
    group: 'telemetry.istio.io',
    versions: ['v1', 'v1alpha1'],
  },
  lateen('RateLimit', 'ratelimits', ['rl'], RateLimitBody),
  policy('attributemanifest', 'attributemanifests', AttributeManifestBody),
  policy('handler', 'handlers', HandlerBody),
  policy('instance', 'instances', InstanceBody),
  policy('rule', 'rules', RuleBody),
  policy('QuotaSpec', 'quotaspecs', QuotaSpecBody),
  policy('QuotaSpecBinding', 'quotaspecbindings', QuotaSpecBindingBody),
  ...typed(TYPED_HANDLERS),
  ...typed(TYPED_INSTANCES),
  kubernetes('', ['v1'], 'Service', 'services', ServiceBody),
  kubernetes('', ['v1'], 'Endpoints', 'endpoints', EndpointsBody),
  kubernetes('discovery.k8s.io', ['v1', 'v1beta1'], 'EndpointSlice', 'endpointslices', EndpointSliceBody),
  kubernetes('', ['v1'], 'Pod', 'pods', PodBody),
  kubernetes('', ['v1'], 'Secret', 'secrets', SecretBody),
  kubernetes('apps', ['v1'], 'Deployment', 'deployments', DeploymentBody),
  kubernetes('apps', ['v1'], 'StatefulSet', 'statefulsets', DeploymentBody),
  kubernetes('apps', ['v1'], 'DaemonSet', 'daemonsets', DeploymentBody),
]

const byGroupKind = new Map(KINDS.map((info) => [`${info.group}/${info.kind}`, info]))

/** `networking.istio.io/v1` -> its group and version; `v1` is the core group's. */
export function splitApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/')
  if (slash < 0) return { group: '', version: apiVersion }
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}

/** The kind's entry whatever its version, or undefined when we do not take that kind. */
export function findKind(group: string, kind: string): KindInfo | undefined {
  return byGroupKind.get(`${group}/${kind}`)
}
