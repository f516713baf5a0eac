import type { ConfigObject } from '../../config/object.ts'
import type { PeerAuthenticationBody } from '../../crds/kinds/peer-authentication.ts'
import { isEmptySelector, type Labels, labelsMatch } from '../registry/labels.ts'

/** How a port of a workload is called: in plain text, by mutual TLS, or by either. */
export type MtlsMode = 'DISABLE' | 'PERMISSIVE' | 'STRICT'

/** Of one workload. Plain data: the same content for all that are treated alike. */
export interface MtlsModes {
  /** Of all ports but those below, those that no service has included. */
  readonly workload: MtlsMode
  /** By port of the workload. */
  readonly ports: Readonly<Record<string, MtlsMode>>
}

type PeerAuthentication = ConfigObject<PeerAuthenticationBody>

/**
 * The modes of a workload: the mesh's default, then what the root namespace says of the mesh, the workload's namespace of itself,
 * and whatever selects the workload, each where it says anything; of several at one place the oldest (Istio's
 * ComposePeerAuthentication). `policies` are ordered by age.
 */
export function mtlsModes(
  policies: readonly PeerAuthentication[],
  namespace: string,
  labels: Labels,
  rootNamespace: string,
  defaultMode: MtlsMode,
): MtlsModes {
  const selectorOf = (policy: PeerAuthentication) => policy.body.spec.selector?.matchLabels
  const ofNamespace = (name: string) =>
    policies.find((policy) => policy.metadata.namespace === name && isEmptySelector(selectorOf(policy)))
  const selected = policies.find(
    (policy) =>
      policy.metadata.namespace === namespace &&
      !isEmptySelector(selectorOf(policy)) &&
      labelsMatch(selectorOf(policy), labels),
  )
  let workload = defaultMode
  for (const policy of [ofNamespace(rootNamespace), ofNamespace(namespace), selected]) {
    workload = modeOf(policy?.body.spec.mtls) ?? workload
  }
  const ports: Record<string, MtlsMode> = {}
  for (const [port, mtls] of Object.entries(selected?.body.spec.portLevelMtls ?? {})) {
    ports[port] = modeOf(mtls) ?? workload
  }
  return { workload, ports }
}

function modeOf(mtls: PeerAuthenticationBody['spec']['mtls']): MtlsMode | undefined {
  return mtls?.mode === undefined || mtls.mode === 'UNSET' ? undefined : mtls.mode
}
