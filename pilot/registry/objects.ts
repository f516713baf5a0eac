import type { ConfigObject } from '../../config/object.ts'
import type { AuthorizationPolicyBody } from '../../crds/kinds/authorization-policy.ts'
import type { DeploymentBody } from '../../crds/kinds/deployment.ts'
import type { DestinationRuleBody } from '../../crds/kinds/destination-rule.ts'
import type { EndpointSliceBody } from '../../crds/kinds/endpoint-slice.ts'
import type { EndpointsBody } from '../../crds/kinds/endpoints.ts'
import type { EnvoyFilterBody } from '../../crds/kinds/envoy-filter.ts'
import type { GatewayBody } from '../../crds/kinds/gateway.ts'
import type { InstanceBody, QuotaSpecBindingBody, QuotaSpecBody, RuleBody, TypedBody } from '../../crds/kinds/mixer.ts'
import type { PeerAuthenticationBody } from '../../crds/kinds/peer-authentication.ts'
import type { PodBody } from '../../crds/kinds/pod.ts'
import type { RateLimitBody } from '../../crds/kinds/rate-limit.ts'
import type { RequestAuthenticationBody } from '../../crds/kinds/request-authentication.ts'
import type { SecretBody } from '../../crds/kinds/secret.ts'
import type { ServiceBody } from '../../crds/kinds/service.ts'
import type { ServiceEntryBody } from '../../crds/kinds/service-entry.ts'
import type { SidecarBody } from '../../crds/kinds/sidecar.ts'
import type { TelemetryBody } from '../../crds/kinds/telemetry.ts'
import type { VirtualServiceBody } from '../../crds/kinds/virtual-service.ts'
import type { WorkloadEntryBody } from '../../crds/kinds/workload-entry.ts'
import { splitApiVersion } from '../../crds/kinds.ts'
import type { Memo } from '../memo.ts'

/** The body of each kind that the pilot reads, by group and kind. Sources have validated it. */
interface Bodies {
  '/Service': ServiceBody
  '/Endpoints': EndpointsBody
  'discovery.k8s.io/EndpointSlice': EndpointSliceBody
  '/Pod': PodBody
  '/Secret': SecretBody
  'apps/Deployment': DeploymentBody
  'apps/StatefulSet': DeploymentBody
  'apps/DaemonSet': DeploymentBody
  'networking.istio.io/ServiceEntry': ServiceEntryBody
  'networking.istio.io/WorkloadEntry': WorkloadEntryBody
  'networking.istio.io/VirtualService': VirtualServiceBody
  'networking.istio.io/DestinationRule': DestinationRuleBody
  'networking.istio.io/Gateway': GatewayBody
  'networking.istio.io/Sidecar': SidecarBody
  'security.istio.io/PeerAuthentication': PeerAuthenticationBody
  'security.istio.io/RequestAuthentication': RequestAuthenticationBody
  'security.istio.io/AuthorizationPolicy': AuthorizationPolicyBody
  'networking.istio.io/EnvoyFilter': EnvoyFilterBody
  'lateen.mesh/RateLimit': RateLimitBody
  'telemetry.istio.io/Telemetry': TelemetryBody
  'config.istio.io/rule': RuleBody
  'config.istio.io/instance': InstanceBody
  'config.istio.io/quota': TypedBody
  'config.istio.io/metric': TypedBody
  'config.istio.io/logentry': TypedBody
  'config.istio.io/QuotaSpec': QuotaSpecBody
  'config.istio.io/QuotaSpecBinding': QuotaSpecBindingBody
}

/** The objects by kind, each list ordered by age: the oldest wins conflicts, everywhere. */
export interface ObjectsByKind {
  of<K extends keyof Bodies>(kind: K): readonly ConfigObject<Bodies[K]>[]
}

/** A kind's list is the same array as before when none of its objects changed. */
export function objectsByKind(objects: readonly ConfigObject[], memo: Memo): ObjectsByKind {
  const lists = new Map<string, ConfigObject[]>()
  for (const object of objects) {
    const kind = `${splitApiVersion(object.apiVersion).group}/${object.kind}`
    const list = lists.get(kind)
    if (list === undefined) lists.set(kind, [object])
    else list.push(object)
  }
  const stable = new Map<string, readonly ConfigObject[]>()
  for (const [kind, list] of lists) stable.set(kind, memo.list(kind, list.sort(byAge)))
  const none = memo.list<ConfigObject>('none', [])
  return {
    of: <K extends keyof Bodies>(kind: K) =>
      (stable.get(kind) ?? none) as unknown as readonly ConfigObject<Bodies[K]>[],
  }
}

/** Istio's order: creationTimestamp, then as first seen, then name and namespace. */
export function byAge(a: ConfigObject<unknown>, b: ConfigObject<unknown>): number {
  const [at, bt] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp]
  if (at !== '' && bt !== '' && at !== bt) return at < bt ? -1 : 1
  if (a.age !== b.age) return a.age - b.age
  if (a.metadata.name !== b.metadata.name) return a.metadata.name < b.metadata.name ? -1 : 1
  if (a.metadata.namespace !== b.metadata.namespace) return a.metadata.namespace < b.metadata.namespace ? -1 : 1
  return 0
}
