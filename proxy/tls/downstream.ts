import type { TLSSocket } from 'node:tls'
import type { DownstreamTlsPlan } from '../plan/tls-plan.ts'
import { refusePeer, type TlsFacts } from './peer.ts'
import type { SslStats } from './stats.ts'

/**
 * Judges a client by its handshake, and counts. A client that is refused sees its connection close: node ends the
 * handshake before anyone can judge, so no alert is sent.
 *
 * @param wallMs now: a certificate that has ended since is not resumed
 */
export function acceptClient(
  socket: TLSSocket,
  facts: TlsFacts,
  plan: DownstreamTlsPlan,
  stats: SslStats,
  wallMs: number,
): boolean {
  stats.handshake.inc()
  if (facts.isResumed) stats.session_reused.inc()
  if (plan.requiresServerName && facts.serverName === '') return refused(stats)
  const { peer } = plan
  const certificate = facts.peer
  if (certificate === undefined) {
    if (peer !== undefined || plan.requiresClientCertificate) stats.no_certificate.inc()
    if (!plan.requiresClientCertificate) return true
    stats.fail_verify_no_cert.inc()
    return refused(stats)
  }
  if (peer === undefined) return true
  if (peer.verifiesChain && (!socket.authorized || (facts.isResumed && certificate.validToMs <= wallMs))) {
    stats.fail_verify_error.inc()
    return refused(stats)
  }
  const refusal = refusePeer(peer, certificate)
  if (refusal === undefined) return true
  stats[refusal].inc()
  return refused(stats)
}

function refused(stats: SslStats): false {
  stats.connection_error.inc()
  return false
}
