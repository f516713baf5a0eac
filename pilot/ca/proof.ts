import type { IssuedLeaf } from './leaf-ledger.ts'
import type { RotationPhase } from './rotation.ts'

/** What a connected proxy has answered to the roots that it was sent last. */
export type RootsAnswer =
  | 'accepted'
  | 'waiting'
  | 'refused'
  /** It does not ask for them: nothing that it was sent speaks mutual TLS. */
  | 'not asked'

export interface ConnectedProxy {
  readonly node: string
  readonly roots: RootsAnswer
}

export interface RotationFacts {
  readonly phase: RotationPhase
  /** Fingerprint of who signs now. */
  readonly issuer: string
  readonly proxies: readonly ConnectedProxy[]
  readonly leaves: readonly IssuedLeaf[]
  /** By issuer: until when certificates may be in use of which it is not known whose they are. */
  readonly unseenEnds: ReadonlyMap<string, number>
  readonly nowMs: number
}

/**
 * Why the next step of a rotation must not be taken yet; nothing means that it is proven to be safe. Before the new authority signs,
 * every proxy has accepted its root; before the old one's root goes, nobody has a certificate of it any more.
 */
export function blockers(facts: RotationFacts): string[] {
  if (facts.phase === 'steady') return []
  return facts.phase === 'spreading' ? untrusting(facts) : [...untrusting(facts), ...foreignLeaves(facts)]
}

/** The same of the step back. Nobody may have a certificate of what was switched to once, and from again. */
export function backBlockers(facts: RotationFacts): string[] {
  return facts.phase === 'spreading' ? foreignLeaves(facts) : []
}

function untrusting({ proxies }: RotationFacts): string[] {
  return proxies.flatMap(({ node, roots }) => {
    if (roots === 'waiting') return `${node} has not answered to the roots that it was sent`
    return roots === 'refused' ? `${node} has refused the roots that it was sent` : []
  })
}

function foreignLeaves({ issuer, leaves, unseenEnds, nowMs }: RotationFacts): string[] {
  const known = leaves
    .filter((leaf) => leaf.issuer !== issuer && leaf.endMs > nowMs)
    .map(
      ({ identity, node, endMs }) => `${node || identity} has a certificate of another authority until ${iso(endMs)}`,
    )
  const unseen = [...unseenEnds]
    .filter(([by, endMs]) => by !== issuer && endMs > nowMs)
    .map(([, endMs]) => `certificates that this pilot does not know of may be in use until ${iso(endMs)}`)
  return [...known, ...unseen]
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
