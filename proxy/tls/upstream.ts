import { connect, isIP, type NetConnectOpts, type OnReadOpts, Socket } from 'node:net'
import { type ConnectionOptions, type PeerCertificate, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { type Clock, systemClock } from '../../lib/clock.ts'
import type { EndpointPlan } from '../plan/plan.ts'
import type { PeerCheckPlan, UpstreamTlsPlan } from '../plan/tls-plan.ts'
import type { AltName } from './alt-names.ts'
import { factsOf, factsOfDer } from './certificate-facts.ts'
import { dnsNameMatches, type PeerRefusal, refusePeer } from './peer.ts'
import { sessionsOf } from './sessions.ts'
import type { SslStats } from './stats.ts'

export interface UpstreamConnectOptions {
  /** The request's host, for clusters with `autoSni` or `autoSanValidation`. */
  readonly host?: string
  readonly stats?: SslStats | undefined
  /** Offered in the place of the plan's. */
  readonly alpnProtocols?: readonly string[] | undefined
  readonly clock?: Clock
  /** Node's way of reading into one buffer, instead of `data` events. */
  readonly onread?: OnReadOpts
}

/** The event that says that a socket of connectUpstream() is ready: with TLS only after its handshake. */
export function readyEvent(tls: UpstreamTlsPlan | undefined): 'connect' | 'secureConnect' {
  return tls === undefined ? 'connect' : 'secureConnect'
}

/**
 * Connects to an endpoint: plain without `tls`, else by TLS. The socket emits `readyEvent(tls)` once bytes may pass, or
 * `error`; its message says why the peer's certificate was refused. Time-outs are the caller's, handshake included.
 */
export function connectUpstream(
  endpoint: EndpointPlan,
  tls: UpstreamTlsPlan | undefined,
  options: UpstreamConnectOptions = {},
): Socket {
  const { address, port, unixPath } = endpoint
  const place = unixPath === '' ? { host: address, port } : { path: unixPath }
  const onread = options.onread === undefined ? {} : { onread: options.onread }
  if (tls === undefined) return connect({ ...place, ...onread, noDelay: true, allowHalfOpen: true } as NetConnectOpts)
  if (tls.context === undefined) return notReady(options.stats)
  const serverName = serverNameOf(tls, options.host)
  const clock = options.clock ?? systemClock
  const session = tls.maxSessionKeys === 0 ? undefined : sessionsOf(tls).take(serverName, clock.wallMs())
  const check = tls.autoSanValidation ? checkName(tls.peer, serverName) : tls.peer
  const alpnProtocols = options.alpnProtocols ?? tls.alpnProtocols
  const connection: ConnectionOptions & { allowHalfOpen: boolean } = {
    ...place,
    ...onread,
    allowHalfOpen: true,
    secureContext: tls.context,
    ...(serverName !== '' && isIP(serverName) === 0 && { servername: serverName }),
    ...(alpnProtocols.length > 0 && { ALPNProtocols: [...alpnProtocols] }),
    ...(session !== undefined && { session }),
    rejectUnauthorized: check.verifiesChain,
    checkServerIdentity: (_host, certificate) => {
      const error = identityError(check, certificate)
      if (error === undefined && check.verifiesChain) noteIdentity(socket, certificate)
      return error
    },
  }
  const socket: TLSSocket = tlsConnect(connection)
  socket.setNoDelay(true)
  if (tls.maxSessionKeys > 0) keepSessions(socket, tls, serverName)
  if (options.stats !== undefined) count(socket, options.stats)
  return socket
}

const verifiedUris = new WeakMap<Socket, string>()

function noteIdentity(socket: Socket, { raw }: PeerCertificate): void {
  if (raw !== undefined) verifiedUris.set(socket, factsOfDer(raw).uri)
}

/**
 * The first URI in the certificate of a server whose chain was found good; undefined where none was shown, as by one whose session
 * goes on.
 */
export function verifiedUri(socket: Socket): string | undefined {
  return verifiedUris.get(socket)
}

/** What there is of a connection while a secret that it needs is not there: Envoy's words for it. */
function notReady(stats: SslStats | undefined): Socket {
  stats?.context_secrets_not_ready.inc()
  const socket = new Socket()
  socket.destroy(new Error('TLS error: Secret is not supplied by SDS'))
  return socket
}

/** The name to ask for and to keep sessions under; '' for none. */
export function serverNameOf(tls: UpstreamTlsPlan, host: string | undefined): string {
  if (tls.serverName !== '' || !tls.autoSni || host === undefined) return tls.serverName
  return hostWithoutPort(host)
}

function hostWithoutPort(host: string): string {
  if (host.startsWith('[')) return host.slice(1, Math.max(1, host.indexOf(']')))
  const colon = host.indexOf(':')
  return colon < 0 ? host : host.slice(0, colon)
}

/** The check with the name asked for in the place of the configured ones, as Envoy's `auto_san_validation` has it. */
function checkName(check: PeerCheckPlan, serverName: string): PeerCheckPlan {
  const type = isIP(serverName) === 0 ? 'dns' : 'ip'
  const test = (name: string) => (type === 'dns' ? dnsNameMatches(name, serverName) : name === serverName)
  return { ...check, names: [{ type, matcher: { describe: `exact ${JSON.stringify(serverName)}`, test } }] }
}

/** The peer's certificate leads to a trusted root, but is not the one that was asked for. */
export class PeerIdentityError extends Error {
  readonly code: PeerRefusal

  constructor(code: PeerRefusal, message: string) {
    super(message)
    this.name = 'PeerIdentityError'
    this.code = code
  }
}

/** Why this certificate is not the one that was asked for; undefined when it is. */
export function identityError(check: PeerCheckPlan, { raw }: PeerCertificate): PeerIdentityError | undefined {
  const certificate = factsOfDer(raw)
  const refusal = refusePeer(check, certificate)
  if (refusal === undefined) return undefined
  if (refusal === 'fail_verify_cert_hash') {
    return new PeerIdentityError(refusal, "the upstream's certificate has none of the configured hashes")
  }
  const wanted = check.names.map(({ type, matcher }) => `${type} ${matcher.describe}`).join(', ')
  const shown = certificate.altNames.map(nameText).join(', ') || 'no names'
  return new PeerIdentityError(refusal, `the upstream's certificate is for ${shown}, but must be for ${wanted}`)
}

function nameText({ type, value }: AltName): string {
  return `${type} ${JSON.stringify(value)}`
}

/** Keeps what the server gives for resuming, but only from connections whose certificate was accepted. */
function keepSessions(socket: TLSSocket, tls: UpstreamTlsPlan, serverName: string): void {
  const sessions = sessionsOf(tls)
  let given: Buffer | undefined
  let validToMs = -1
  const keep = () => {
    if (given !== undefined && validToMs >= 0) sessions.keep(serverName, given, validToMs)
  }
  socket.on('session', (session: Buffer) => {
    given = session
    keep()
  })
  socket.once('secureConnect', () => {
    const certificate = socket.getPeerX509Certificate()
    validToMs = certificate === undefined ? Number.MAX_SAFE_INTEGER : factsOf(certificate).validToMs
    keep()
  })
  socket.once('error', () => {
    if (validToMs < 0) sessions.forget(serverName)
  })
}

function count(socket: TLSSocket, stats: SslStats): void {
  let isConnected = false
  let isSecure = false
  socket.once('connect', () => {
    isConnected = true
  })
  socket.once('secureConnect', () => {
    isSecure = true
    stats.handshake.inc()
    if (socket.isSessionReused()) stats.session_reused.inc()
  })
  socket.once('error', (error: Error) => {
    if (!isConnected || isSecure) return
    stats.connection_error.inc()
    if (error instanceof PeerIdentityError) stats[error.code].inc()
    else if (socket.authorizationError != null) stats.fail_verify_error.inc()
  })
}
