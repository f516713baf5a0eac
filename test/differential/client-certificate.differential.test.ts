import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { TestCa } from '../support/certificates.ts'
import { certificate, cluster, downstreamTls, typed } from '../support/static-resources.ts'
import { StaticPair } from './static-pair.ts'

/** What real Envoy and our proxy say onward of a client's certificate (x-forwarded-client-cert). */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const ca = new TestCa('root')
const server = ca.issue('server', {
  altNames: ['URI:spiffe://cluster.local/ns/a/sa/server', 'DNS:server.example.com', 'URI:spiffe://other/x'],
})
const plain = ca.issue('client', { altNames: ['URI:spiffe://cluster.local/ns/a/sa/client', 'DNS:a', 'DNS:b'] })
const bare = ca.issue('bare', { altNames: ['email:a@example.com'] })
/** A subject with all that needs an escape. */
const odd = issueOdd()

const ALL = { subject: true, cert: true, chain: true, dns: true, uri: true }
const MODES = ['SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET', 'ALWAYS_FORWARD_ONLY']
const MANAGERS = MODES.flatMap((forward_client_cert_details) =>
  [{}, { subject: true, dns: true, uri: true }, ALL].map((set_current_client_cert_details) => ({
    forward_client_cert_details,
    set_current_client_cert_details,
  })),
)
const FIRST_PORT = 7900
const PORTS = [...MANAGERS.keys()].map((i) => FIRST_PORT + 2 * i)
const CLIENTS = { none: undefined, plain, bare, odd }
const CLAIM = 'x-forwarded-client-cert: By=spiffe://x;Hash=00;Subject="CN=me, too"'

const pair = new StaticPair()
const upstream = createServer({ keepAliveTimeout: 0 }, (request, response) =>
  response.end(JSON.stringify(request.headers)),
)

beforeAll(async () => {
  if (envoy === undefined) return
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const up = cluster('up', [(upstream.address() as AddressInfo).port])
  const listeners = (address: string) => MANAGERS.flatMap((fields, i) => listenersOf(address, i, fields))
  await pair.start(envoy, PORTS, listeners, [up])
}, 60_000)

afterAll(async () => {
  upstream.closeAllConnections()
  upstream.close()
  await pair.stop()
  ca.remove()
}, 20_000)

for (const [i, manager] of MANAGERS.entries()) {
  withEnvoy(
    `${manager.forward_client_cert_details} ${Object.keys(manager.set_current_client_cert_details)}`,
    async () => {
      for (const client of Object.keys(CLIENTS) as (keyof typeof CLIENTS)[]) {
        for (const lines of [[], [CLAIM]]) {
          const [theirs, ours] = await Promise.all([
            ask(pair.hosts.envoy, PORTS[i] as number, client, lines),
            ask(pair.hosts.lateen, PORTS[i] as number, client, lines),
          ])
          expect({ client, lines, header: ours }).toEqual({ client, lines, header: theirs })
        }
      }
    },
  )
}

/** The header as it arrives. */
function ask(host: string, port: number, client: keyof typeof CLIENTS, lines: readonly string[]): Promise<unknown> {
  const shown = CLIENTS[client]
  const request = ['GET / HTTP/1.1', 'Host: h', 'Connection: close', ...lines, '', ''].join('\r\n')
  return new Promise((resolve, reject) => {
    const own = shown === undefined ? {} : { cert: shown.cert, key: shown.key }
    const socket = connect({ host, port, rejectUnauthorized: false, ...own }, () => socket.write(request))
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => {
      const [start, end] = [text.indexOf('{'), text.lastIndexOf('}')]
      if (start < 0) reject(new Error(`answered ${text}`))
      else resolve(JSON.parse(text.slice(start, end + 1))['x-forwarded-client-cert'])
    })
  })
}

function listenersOf(address: string, i: number, fields: object): object[] {
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    route_config: {
      virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'up' } }] }],
    },
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
    ...fields,
  })
  const validation_context = { trusted_ca: { filename: ca.certFile } }
  const transport_socket = downstreamTls({ tls_certificates: [certificate(server)], validation_context })
  return [
    {
      name: `l${i}`,
      address: { socket_address: { address, port_value: PORTS[i] } },
      filter_chains: [{ filters: [{ name: 'http', typed_config: manager }], transport_socket }],
    },
  ]
}

function issueOdd() {
  const issued = ca.issue('odd')
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const subject = '/C=DE/O=Müller, Söhne + "Co"/OU=#one/OU=two;three/CN= odd \\\\ name '
  const csr = `${issued.certFile}.csr`
  openssl('req', '-new', '-utf8', '-key', issued.keyFile, '-out', csr, '-subj', subject)
  const signing = ['-CA', ca.certFile, '-CAkey', `${ca.dir}/ca.key`, '-CAcreateserial', '-days', '2']
  openssl('x509', '-req', '-in', csr, '-out', issued.certFile, ...signing)
  return { ...issued, cert: readFileSync(issued.certFile, 'utf8') }
}
