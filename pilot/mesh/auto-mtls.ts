import type { ConfigObject } from '../../config/object.ts'
import type { PeerAuthenticationBody } from '../../crds/kinds/peer-authentication.ts'
import type { Memo } from '../memo.ts'
import type { Endpoint } from '../registry/endpoint.ts'
import type { Generation } from './generation.ts'
import { mtlsModes } from './peer-authentication.ts'

/** What the injector writes on workloads whose proxy has an identity. */
export const MODE_LABEL = 'security.istio.io/tlsMode'

/** Which endpoints clients call by mutual TLS where no rule says how. The same object for as long as it says the same. */
export interface AutoMtls {
  takes(endpoint: Endpoint): boolean
}

const NOBODY: AutoMtls = { takes: () => false }

/** Clients look at a PeerAuthentication only where it switches mutual TLS off: whatever else it says, servers take it. */
export function autoMtls({ peerAuthentications, options }: Generation, memo: Memo): AutoMtls {
  if (!options.enableAutoMtls) return NOBODY
  const policies = peerAuthentications.some(switchesOff) ? peerAuthentications : memo.list('no policies', [])
  return memo.get('auto mTLS', [policies, options], () => ({
    takes: ({ namespace, labels, port }) => {
      if (labels[MODE_LABEL] !== 'istio') return false
      if (policies.length === 0) return true
      const modes = mtlsModes(policies, namespace, labels, options.rootNamespace, 'PERMISSIVE')
      return (modes.ports[port] ?? modes.workload) !== 'DISABLE'
    },
  }))
}

function switchesOff({ body: { spec } }: ConfigObject<PeerAuthenticationBody>): boolean {
  return [spec.mtls, ...Object.values(spec.portLevelMtls ?? {})].some((mtls) => mtls?.mode === 'DISABLE')
}
