import type { Socket } from 'node:net'
import { unmapIpv4 } from '../../lib/ip.ts'
import type { TlsFacts } from '../tls/peer.ts'
import { addressWithPort } from './fields.ts'

/** What is known of a connection: first of its addresses, then of its first bytes, then of its handshake. */
export interface ConnectionFacts {
  /** Where the client meant to go: restored when the connection was redirected, or a PROXY header named it. */
  destinationAddress: string
  destinationPort: number
  /** The destination is another than our own end of the connection. */
  isRestored: boolean
  /** The peer of the socket. */
  readonly directSourceAddress: string
  /** The client: the peer of the socket, unless a PROXY header named another. */
  sourceAddress: string
  sourcePort: number
  /** `raw_buffer` or `tls`, as far as a listener filter looked. */
  transportProtocol: string
  /** The SNI that a listener filter found, or ''; that of the handshake is in `tls`. */
  serverName: string
  /** What the client offers by ALPN, or the version of HTTP that it speaks in plain text. */
  applicationProtocols: readonly string[]
  /** undefined before the handshake, and in plain text. */
  tls: TlsFacts | undefined
  /** What the access log keeps of the connection; undefined before it has. */
  logNote: object | undefined
}

/** Asks for the addresses now: a socket that is closed has none any more, unless it was asked before. */
export function learnAddresses(facts: ConnectionFacts): void {
  void facts.sourceAddress
  void facts.directSourceAddress
  void facts.destinationAddress
  void facts.destinationPort
}

const NO_PROTOCOLS: readonly string[] = []

/**
 * The facts of an accepted connection. The kernel is asked for an address when somebody needs it: most connections are
 * served without.
 */
export class SocketFacts implements ConnectionFacts {
  isRestored = false
  transportProtocol = 'raw_buffer'
  serverName = ''
  applicationProtocols = NO_PROTOCOLS
  tls: TlsFacts | undefined = undefined
  logNote: object | undefined = undefined
  readonly #socket: Socket
  #destinationAddress: string | undefined
  #destinationPort: number | undefined
  #sourceAddress: string | undefined
  #sourcePort: number | undefined

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get directSourceAddress(): string {
    return unmapIpv4(this.#socket.remoteAddress ?? '')
  }

  get sourceAddress(): string {
    this.#sourceAddress ??= this.directSourceAddress
    return this.#sourceAddress
  }

  set sourceAddress(address: string) {
    this.#sourceAddress = address
  }

  get sourcePort(): number {
    this.#sourcePort ??= this.#socket.remotePort ?? 0
    return this.#sourcePort
  }

  set sourcePort(port: number) {
    this.#sourcePort = port
  }

  get destinationAddress(): string {
    this.#destinationAddress ??= unmapIpv4(this.#socket.localAddress ?? '')
    return this.#destinationAddress
  }

  set destinationAddress(address: string) {
    this.#destinationAddress = address
  }

  get destinationPort(): number {
    this.#destinationPort ??= this.#socket.localPort ?? 0
    return this.#destinationPort
  }

  set destinationPort(port: number) {
    this.#destinationPort = port
  }
}

/** Facts of which only some are known. */
export function connectionFacts(known: Partial<ConnectionFacts>): ConnectionFacts {
  return {
    destinationAddress: '',
    destinationPort: 0,
    isRestored: false,
    directSourceAddress: '',
    sourceAddress: '',
    sourcePort: 0,
    transportProtocol: 'raw_buffer',
    serverName: '',
    applicationProtocols: NO_PROTOCOLS,
    tls: undefined,
    logNote: undefined,
    ...known,
  }
}

/** `address:port` of the client. */
export function sourceText({ sourceAddress, sourcePort }: ConnectionFacts): string {
  return addressWithPort(sourceAddress, sourcePort)
}

/** `address:port` of where the client meant to go. */
export function destinationText({ destinationAddress, destinationPort }: ConnectionFacts): string {
  return addressWithPort(destinationAddress, destinationPort)
}

export function schemeOf({ tls }: ConnectionFacts): 'http' | 'https' {
  return tls === undefined ? 'http' : 'https'
}
