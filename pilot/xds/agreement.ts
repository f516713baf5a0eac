import { parseNodeId } from '../../api/node.ts'
import { formatSpiffeId, type SpiffeId } from '../../api/spiffe.ts'
import type { NodeIdentity } from './view.ts'

/**
 * Why a node is not the proven caller's; '' where they agree. A node says itself where it belongs, and is given what its namespace may
 * see: so every word of it about that must be the caller's.
 */
export function disagreement({ id, metadata }: NodeIdentity, proven: SpiffeId): string {
  const claims: readonly (readonly [what: string, claimed: unknown, proven: string])[] = [
    ["the node id's namespace", parseNodeId(id)?.namespace, proven.namespace],
    ["the node's NAMESPACE", metadata.NAMESPACE, proven.namespace],
    ["the node's SERVICE_ACCOUNT", metadata.SERVICE_ACCOUNT, proven.serviceAccount],
  ]
  for (const [what, claimed, expected] of claims) {
    if (claimed === undefined || claimed === '' || claimed === expected) continue
    return `${what} is ${JSON.stringify(claimed)}, but the caller is ${formatSpiffeId(proven)}`
  }
  return ''
}
