import { type ConnectionOptions, connect } from 'node:tls'
import type { Issued } from '../support/certificates.ts'

export interface Call {
  /** Asked for by SNI, and, where there is no other, in the request. */
  readonly host: string
  readonly authority?: string
  readonly tls?: ConnectionOptions
  /** What is sent instead of a request for this host. */
  readonly bytes?: string
}

/**
 * One HTTP/1.1 request over TLS. `<version> <ALPN or -> <common name> <status> <body>`, or `refused` when the handshake fails or the
 * connection ends without a byte.
 */
export function tlsCall(
  address: string,
  port: number,
  { host, authority = host, tls = {}, bytes }: Call,
): Promise<string> {
  const request = bytes ?? `GET / HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`
  return new Promise((resolve) => {
    let text = ''
    const socket = connect({ host: address, port, servername: host, ...tls }, () => {
      text = `${socket.getProtocol()} ${socket.alpnProtocol || '-'} ${socket.getPeerCertificate().subject.CN} `
      socket.write(request)
    })
    let received = ''
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      if (bytes !== undefined) socket.end()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      const body = received.includes('\r\n\r\n') ? received.slice(received.indexOf('\r\n\r\n') + 4) : received
      const status = /^HTTP\/1\.1 (\d+)/.exec(received)?.[1] ?? ''
      resolve(received === '' ? 'refused' : `${text}${status} ${dechunked(body)}`.trim())
    })
  })
}

const dechunked = (body: string) => /^[0-9a-f]+\r\n(.*)\r\n0\r\n\r\n$/s.exec(body)?.[1] ?? body

/** What a client shows of itself. */
export const shown = ({ cert, key }: Issued): ConnectionOptions => ({ cert, key })
