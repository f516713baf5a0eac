import { refuse } from '../plan-error.ts'
import type { ValidationPlan } from '../secret-plan.ts'
import type { PeerCheckPlan } from '../tls-plan.ts'

export const NO_CHECK: PeerCheckPlan = { verifiesChain: false, names: [], certificateHashes: [], keyHashes: [] }

/** What is asked of a peer's certificate. Refuses what seems to ask for more than it does. */
export function peerCheckOf(validation: ValidationPlan | undefined, path: string): PeerCheckPlan {
  if (validation === undefined) return NO_CHECK
  const { trustedCa, usesSystemRoots, crl, names, certificateHashes, keyHashes, acceptsUntrusted } = validation
  const hasRoots = trustedCa !== undefined || usesSystemRoots
  if (names.length > 0 && !hasRoots) {
    refuse(`${path}.match_typed_subject_alt_names`, 'names prove nothing without a trusted_ca')
  }
  if (crl !== undefined && !hasRoots) refuse(`${path}.crl`, 'needs a trusted_ca')
  // Whoever fails is let in all the same: then nothing needs to be looked at.
  if (acceptsUntrusted) return NO_CHECK
  return { verifiesChain: hasRoots, names, certificateHashes, keyHashes }
}
