import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { HTTP_1_1, PEER_PROTOCOL } from '../http2/peer-protocol.ts'
import { factsOf } from './certificate-facts.ts'
import { contextOptions, materialKey, shared, type TlsMaterial } from './material.ts'

export interface AcceptorOptions {
  readonly material: TlsMaterial
  readonly alpnProtocols: readonly string[]
  /** What our own proxies speak is taken before all else. */
  readonly takesPeers: boolean
  /** Clients are asked for a certificate. */
  readonly requestsCertificate: boolean
}

/** Whoever waits for a handshake. Exactly one of the two is called, unless the wait is given up. */
export interface HandshakeWaiter {
  /** Nothing of the peer's certificate has been judged yet. `localUris` are those in our own. */
  onSecure(socket: TLSSocket, localUris: readonly string[]): void
  /** The client went away, or spoke no TLS that we take. The socket is gone. */
  onHandshakeFailed(): void
}

/** Handshakes end when their connection's owner says so; node's own limit must not be the shorter one. */
const NEVER_MS = 0x7fffffff

/**
 * Makes TLS connections of accepted sockets. It is a `tls.Server` that never listens: sockets are handed to it. What
 * it makes is told apart by the addresses of both ends, since node says nothing of the socket that it was made from.
 */
export class TlsAcceptor {
  readonly #server: Server
  readonly #waiting = new Map<string, HandshakeWaiter>()
  /** undefined where there are several certificates, of which each handshake takes one. */
  readonly #localUris: readonly string[] | undefined

  /** Throws what OpenSSL says of the material. */
  constructor(options: AcceptorOptions, sessionIdContext: string) {
    const { material, requestsCertificate } = options
    this.#localUris = onlyUris(material)
    this.#server = createServer({
      ...contextOptions(material),
      sessionIdContext,
      ...alpn(options),
      requestCert: requestsCertificate,
      rejectUnauthorized: false,
      handshakeTimeout: NEVER_MS,
    })
    this.#server.on('secureConnection', (socket) => this.#onSecure(socket))
  }

  /** Begins a handshake with what the socket brings, bytes that were put back to it included. */
  accept(socket: Socket, waiter: HandshakeWaiter): void {
    const key = endsOf(socket)
    this.#waiting.set(key, waiter)
    socket.once('close', () => {
      if (this.#waiting.get(key) !== waiter) return
      this.#waiting.delete(key)
      waiter.onHandshakeFailed()
    })
    this.#server.emit('connection', socket)
  }

  /** Handshakes under way. */
  get waitingCount(): number {
    return this.#waiting.size
  }

  #onSecure(socket: TLSSocket): void {
    const key = endsOf(socket)
    const waiter = this.#waiting.get(key)
    this.#waiting.delete(key)
    if (waiter === undefined) socket.destroy()
    else waiter.onSecure(socket, this.#localUris ?? urisOf(socket))
  }
}

function onlyUris({ certificates }: TlsMaterial): readonly string[] | undefined {
  const [first] = certificates
  if (certificates.length !== 1 || first?.chain === undefined) return undefined
  return factsOf(new X509Certificate(first.chain)).uris
}

function urisOf(socket: TLSSocket): readonly string[] {
  const own = socket.getX509Certificate()
  return own === undefined ? [] : factsOf(own).uris
}

function alpn({ alpnProtocols, takesPeers }: AcceptorOptions): TlsOptions {
  if (!takesPeers) return alpnProtocols.length > 0 ? { ALPNProtocols: [...alpnProtocols] } : {}
  return { ALPNCallback: ({ protocols }) => chooseProtocol(alpnProtocols, protocols) }
}

/**
 * What is spoken with a client that offers these. Without configured protocols any client is served, as if it had not
 * asked; undefined ends the handshake (RFC 7301 section 3.2).
 */
export function chooseProtocol(configured: readonly string[], offered: readonly string[]): string | undefined {
  if (offered.includes(PEER_PROTOCOL)) return PEER_PROTOCOL
  if (configured.length > 0) return configured.find((protocol) => offered.includes(protocol))
  return offered.find((protocol) => protocol === HTTP_1_1) ?? offered[0]
}

function endsOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`
}

const MAX_ACCEPTORS = 1024
const acceptors = new Map<string, TlsAcceptor>()

/** The acceptor of these options: made once, and shared by all who ask for the same. Throws what OpenSSL says. */
export function tlsAcceptor(options: AcceptorOptions): TlsAcceptor {
  const key = materialKey(options)
  return shared(acceptors, MAX_ACCEPTORS, key, () => new TlsAcceptor(options, key.slice(0, 32)))
}
