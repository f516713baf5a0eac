import { connect } from 'node:tls'
import { afterAll, expect, test } from '@jest/globals'
import { TestCa } from '../../support/certificates.ts'
import { freePort } from '../../support/free-port.ts'
import { ProxyProcess } from '../../support/proxy-process.ts'
import { certificate, downstreamTls, httpChain, listener, resources } from '../../support/static-resources.ts'

/** What a client of a proxy, in a process of its own, is given to come back with. */

const ca = new TestCa('tickets')
const server = ca.issue('a.example')
afterAll(() => ca.remove())

const at = (port_value: number) => ({ address: { socket_address: { address: '127.0.0.1', port_value } } })

interface Visit {
  readonly tickets: readonly Buffer[]
  readonly isResumed: boolean
  readonly protocol: string | null
}

/** One request, and all that the server has said when its answer is here. */
function visit(port: number, session?: Buffer): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const tickets: Buffer[] = []
    const socket = connect({ port, host: '127.0.0.1', servername: 'a.example', ca: ca.cert, session })
    socket.on('error', reject)
    socket.on('session', (ticket: Buffer) => tickets.push(ticket))
    socket.on('secureConnect', () => {
      const [isResumed, protocol] = [socket.isSessionReused(), socket.getProtocol()]
      socket.resume()
      socket.on('close', () => resolve({ tickets, isResumed, protocol }))
      socket.write('GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n')
    })
  })
}

test('a client gets one ticket, and comes back with it more than once', async () => {
  const port = await freePort()
  const chain = httpChain('one', { transport_socket: downstreamTls({ tls_certificates: [certificate(server)] }) })
  const served = resources([listener('one', { filter_chains: [chain], ...at(port) })])
  const admin = 'admin:\n  address: { socket_address: { address: 127.0.0.1, port_value: 0 } }\n'
  const proxy = await ProxyProcess.serve(`${admin}static_resources:\n${served.replaceAll(/^/gm, '  ')}\n`)
  try {
    const first = await visit(port)
    expect([first.protocol, first.isResumed, first.tickets.length]).toEqual(['TLSv1.3', false, 1])
    for (let i = 0; i < 2; i++) {
      const { isResumed } = await visit(port, first.tickets[0])
      expect(isResumed).toBe(true)
    }
  } finally {
    await proxy.stop()
  }
}, 30_000)
