import type { ConnectionFacts } from '../../decide/connection-facts.ts'
import type { TlsFacts } from '../../tls/peer.ts'

const NOBODY: readonly string[] = []

/** One list for all requests of a connection. */
const namesOf = new WeakMap<TlsFacts, readonly string[]>()

/**
 * What the peer is called: the URIs and DNS names of its certificate, then its subject (Envoy's `authenticated` principal
 * matches any of them). Only a certificate that was verified says anything: Envoy believes others too, we fail closed.
 */
export function peerNames({ tls }: ConnectionFacts): readonly string[] {
  if (tls?.peer === undefined || !tls.isPeerVerified) return NOBODY
  let names = namesOf.get(tls)
  if (names === undefined) {
    const ofType = (type: string) => (tls.peer?.altNames ?? []).filter((name) => name.type === type).map((n) => n.value)
    names = [...ofType('uri'), ...ofType('dns'), tls.peer.subject]
    namesOf.set(tls, names)
  }
  return names
}
