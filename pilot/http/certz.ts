import { X509Certificate } from 'node:crypto'
import { TRUSTED_ROOTS } from '../../api/names.ts'
import { TYPE_URL } from '../../api/type-urls.ts'
import type { IssuedLeaf } from '../ca/leaf-ledger.ts'
import { backBlockers, blockers, type RootsAnswer } from '../ca/proof.ts'
import { type RotationPhase, rotationPhase } from '../ca/rotation.ts'
import type { Pilot } from '../pilot.ts'
import type { XdsStream } from '../xds/stream.ts'

export interface CertificateState {
  readonly fingerprint: string
  /** ISO 8601. */
  readonly until: string
}

export interface ProxyCertificates {
  readonly node: string
  readonly roots: RootsAnswer
  /** The newest that it got here; null when it got none since this pilot began. */
  readonly certificate: { readonly issuer: 'current' | 'other'; readonly until: string } | null
}

/** How far a change of the authority has come, as `lateen certs` shows and obeys it. */
export interface Certz {
  readonly phase: RotationPhase
  readonly issuer: CertificateState
  readonly roots: readonly CertificateState[]
  readonly proxies: readonly ProxyCertificates[]
  /** Certificates of workloads that may be in use. */
  readonly certificates: number
  /** Why the next step must not be taken, and why the one back; none when it may be. */
  readonly blockers: readonly string[]
  readonly backBlockers: readonly string[]
}

/** undefined for a pilot without an authority. */
export function certz({ ca, clock, xds }: Pilot): Certz | undefined {
  if (ca === undefined) return undefined
  const { certificate, rootList } = ca.authority.material
  const leaves = ca.ledger.current()
  const newest = new Map(leaves.map((leaf) => [leaf.node, leaf]))
  const proxies = [...xds.streams].map((stream) => ({ node: stream.node.id, roots: rootsAnswer(stream) }))
  const facts = {
    phase: rotationPhase(ca.dir),
    issuer: certificate.fingerprint256,
    proxies,
    leaves,
    unseenEnds: ca.ledger.unseenEnds,
    nowMs: clock.wallMs(),
  }
  return {
    phase: facts.phase,
    issuer: stateOf(certificate),
    roots: rootList.map((pem) => stateOf(new X509Certificate(pem))),
    proxies: proxies
      .map((proxy) => ({ ...proxy, certificate: certificateOf(newest.get(proxy.node), facts.issuer) }))
      .sort((a, b) => (a.node < b.node ? -1 : 1)),
    certificates: leaves.length,
    blockers: blockers(facts),
    backBlockers: backBlockers(facts),
  }
}

function rootsAnswer(stream: XdsStream): RootsAnswer {
  const subscription = stream.subscriptions.get(TYPE_URL.secret)
  if (subscription === undefined || !subscription.names.has(TRUSTED_ROOTS)) return 'not asked'
  const current = stream.view.get(TYPE_URL.secret, TRUSTED_ROOTS)?.version
  if (subscription.isAwaitingAck || subscription.sent.get(TRUSTED_ROOTS) !== current) return 'waiting'
  return subscription.lastError === '' ? 'accepted' : 'refused'
}

function certificateOf(leaf: IssuedLeaf | undefined, issuer: string): ProxyCertificates['certificate'] {
  if (leaf === undefined) return null
  return { issuer: leaf.issuer === issuer ? 'current' : 'other', until: new Date(leaf.endMs).toISOString() }
}

function stateOf(certificate: X509Certificate): CertificateState {
  return { fingerprint: certificate.fingerprint256, until: new Date(certificate.validTo).toISOString() }
}
