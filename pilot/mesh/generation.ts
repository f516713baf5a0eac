import type { Finding } from '../../config/finding.ts'
import type { ConfigObject } from '../../config/object.ts'
import type { AuthorizationPolicyBody } from '../../crds/kinds/authorization-policy.ts'
import type { EnvoyFilterBody } from '../../crds/kinds/envoy-filter.ts'
import type { GatewayBody } from '../../crds/kinds/gateway.ts'
import type { PeerAuthenticationBody } from '../../crds/kinds/peer-authentication.ts'
import type { RateLimitBody } from '../../crds/kinds/rate-limit.ts'
import type { RequestAuthenticationBody } from '../../crds/kinds/request-authentication.ts'
import type { SidecarBody } from '../../crds/kinds/sidecar.ts'
import type { TelemetryBody } from '../../crds/kinds/telemetry.ts'
import { INLINE_KEYS, type KeyTable } from '../jwks/key-table.ts'
import type { Memo } from '../memo.ts'
import { objectsByKind } from '../registry/objects.ts'
import { buildRegistry, type Registry } from '../registry/registry.ts'
import { danglingReferences } from './dangling.ts'
import { type DestinationRuleIndex, indexDestinationRules } from './destination-rule.ts'
import { unknownProviders } from './extension-providers.ts'
import { type InstanceIndex, instanceIndex } from './instances.ts'
import { type MixerPolicy, mixerPolicy, unknownMixer } from './mixer-policy.ts'
import { type MixerReports, mixerReports, unknownReports } from './mixer-reports.ts'
import type { MeshOptions } from './options.ts'
import { indexSecrets, type SecretIndex } from './secrets.ts'
import { type ServiceScope, visibleServices } from './service-scope.ts'
import { indexVirtualServices, type VirtualServiceIndex } from './virtual-service-index.ts'

/**
 * All that the pilot knows at one moment, indexed and immutable. Parts that did not change since the generation
 * before are the same objects.
 */
export interface Generation {
  readonly number: number
  readonly options: MeshOptions
  /** The roots that the mesh's certificates lead to, PEM; '' where no authority says so. */
  readonly trustBundle: string
  readonly registry: Registry
  readonly virtualServices: VirtualServiceIndex
  readonly destinationRules: DestinationRuleIndex
  readonly gateways: readonly ConfigObject<GatewayBody>[]
  readonly sidecars: readonly ConfigObject<SidecarBody>[]
  /** By age. */
  readonly peerAuthentications: readonly ConfigObject<PeerAuthenticationBody>[]
  /** By age. */
  readonly requestAuthentications: readonly ConfigObject<RequestAuthenticationBody>[]
  /** By age. */
  readonly authorizationPolicies: readonly ConfigObject<AuthorizationPolicyBody>[]
  /** By age. */
  readonly envoyFilters: readonly ConfigObject<EnvoyFilterBody>[]
  /** By age. */
  readonly rateLimits: readonly ConfigObject<RateLimitBody>[]
  /** By age. */
  readonly telemetries: readonly ConfigObject<TelemetryBody>[]
  /** The mixer that is asked about calls; undefined for none. */
  readonly mixer: MixerPolicy | undefined
  /** The mixer that is told of calls; undefined for none. */
  readonly reports: MixerReports | undefined
  readonly secrets: SecretIndex
  /** By which keys tokens are checked. */
  readonly keys: KeyTable
  readonly instances: InstanceIndex
  /** The services that a namespace sees. */
  visibleServices(namespace: string): ServiceScope
  /** References that lead nowhere. */
  readonly dangling: readonly Finding[]
}

export function buildGeneration(
  objects: readonly ConfigObject[],
  number: number,
  options: MeshOptions,
  memo: Memo,
  trustBundle = '',
  keys: KeyTable = INLINE_KEYS,
): Generation {
  const byKind = objectsByKind(objects, memo)
  const registry = buildRegistry(byKind, options, memo)
  const virtualServices = indexVirtualServices(byKind.of('networking.istio.io/VirtualService'), options, memo)
  const destinationRules = indexDestinationRules(byKind.of('networking.istio.io/DestinationRule'), options, memo)
  const mixer = mixerPolicy(byKind, options, memo)
  const reports = mixerReports(byKind, options, memo)
  const visible = (namespace: string) => visibleServices(registry.services, namespace, memo)
  return {
    number,
    options,
    trustBundle,
    registry,
    virtualServices,
    destinationRules,
    gateways: byKind.of('networking.istio.io/Gateway'),
    sidecars: byKind.of('networking.istio.io/Sidecar'),
    peerAuthentications: byKind.of('security.istio.io/PeerAuthentication'),
    requestAuthentications: byKind.of('security.istio.io/RequestAuthentication'),
    authorizationPolicies: byKind.of('security.istio.io/AuthorizationPolicy'),
    envoyFilters: byKind.of('networking.istio.io/EnvoyFilter'),
    rateLimits: byKind.of('lateen.mesh/RateLimit'),
    telemetries: byKind.of('telemetry.istio.io/Telemetry'),
    mixer,
    reports,
    secrets: indexSecrets(byKind.of('/Secret'), memo),
    keys,
    instances: instanceIndex(registry, memo),
    visibleServices: visible,
    dangling: [
      ...memo.get('dangling', [registry.services, virtualServices, destinationRules], () =>
        danglingReferences(virtualServices.all, visible, destinationRules, memo),
      ),
      ...unknownMixer(mixer, registry.services),
      ...unknownReports(reports, registry.services),
      ...unknownProviders(byKind.of('security.istio.io/AuthorizationPolicy'), options),
    ],
  }
}
