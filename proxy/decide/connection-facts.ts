import type { TlsFacts } from '../tls/peer.ts'

/** What is known of a connection: first of its addresses, then of its first bytes, then of its handshake. */
export interface ConnectionFacts {
  /** Where the client meant to go: restored when the connection was redirected, or a PROXY header named it. */
  destinationAddress: string
  destinationPort: number
  /** The destination is another than our own end of the connection. */
  isRestored: boolean
  /** The peer of the socket. */
  directSourceAddress: string
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
}

const NO_PROTOCOLS: readonly string[] = []

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
    ...known,
  }
}

/** `address:port` of the client. */
export function sourceText({ sourceAddress, sourcePort }: ConnectionFacts): string {
  return `${sourceAddress}:${sourcePort}`
}

/** `address:port` of where the client meant to go. */
export function destinationText({ destinationAddress, destinationPort }: ConnectionFacts): string {
  return `${destinationAddress}:${destinationPort}`
}

export function schemeOf({ tls }: ConnectionFacts): 'http' | 'https' {
  return tls === undefined ? 'http' : 'https'
}
