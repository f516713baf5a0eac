import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { cluster, typed } from '../support/static-resources.ts'
import { StaticPair } from './static-pair.ts'

/** CONNECT that ends at the proxy: what real Envoy and ours answer, and what reaches the host. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const connectRoute = (upstream: string, upgrade: object = {}, connect_config: object | undefined = {}) => ({
  match: { connect_matcher: {} },
  route: { cluster: upstream, upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config, ...upgrade }] },
})
const postRoute = (allow_post: boolean) => ({ ...connectRoute('raw', {}, { allow_post }), match: { prefix: '/' } })
const ENABLED = [{ upgrade_type: 'CONNECT' }]

const FIRST_PORT = 7700
/** What each port's connection manager has. */
const CASES = {
  works: { upgrade_configs: ENABLED, routes: [connectRoute('raw')] },
  byRoute: { upgrade_configs: [], routes: [connectRoute('raw')] },
  byManager: { upgrade_configs: ENABLED, routes: [{ match: { connect_matcher: {} }, route: { cluster: 'closed' } }] },
  byNobody: { upgrade_configs: [], routes: [{ match: { connect_matcher: {} }, route: { cluster: 'raw' } }] },
  offHere: { upgrade_configs: ENABLED, routes: [connectRoute('raw', { enabled: false })] },
  noRoute: { upgrade_configs: ENABLED, routes: [{ match: { prefix: '/' }, route: { cluster: 'raw' } }] },
  answered: {
    upgrade_configs: ENABLED,
    routes: [{ match: { connect_matcher: {} }, direct_response: { status: 404 } }],
  },
  closed: { upgrade_configs: ENABLED, routes: [connectRoute('closed')] },
  noHost: { upgrade_configs: ENABLED, routes: [connectRoute('empty')] },
  noCluster: { upgrade_configs: ENABLED, routes: [connectRoute('unknown')] },
  proxy1: { upgrade_configs: ENABLED, routes: [connectRoute('raw', {}, { proxy_protocol_config: { version: 'V1' } })] },
  proxy2: { upgrade_configs: ENABLED, routes: [connectRoute('raw', {}, { proxy_protocol_config: { version: 'V2' } })] },
  post: { upgrade_configs: ENABLED, routes: [postRoute(true)] },
}
type Case = keyof typeof CASES
const PORTS = Object.keys(CASES).map((_, i) => FIRST_PORT + i)
const portOf = (name: Case) => FIRST_PORT + Object.keys(CASES).indexOf(name)

/** Says what came in angle brackets, and to the end of it `[end]`. */
const host = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => {})
  socket.on('data', (chunk) => socket.write(`<${chunk.toString('latin1')}>`, 'latin1'))
  socket.on('end', () => socket.end('[end]'))
})
const pair = new StaticPair()

beforeAll(async () => {
  if (envoy === undefined) return
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
  const { port } = host.address() as AddressInfo
  const clusters = [cluster('raw', [port]), cluster('closed', [1]), cluster('empty', [])]
  await pair.start(
    envoy,
    PORTS,
    (address) => Object.keys(CASES).map((name) => listenerOf(address, name as Case)),
    clusters,
  )
}, 60_000)

afterAll(async () => {
  host.close()
  await pair.stop()
}, 20_000)

function listenerOf(address: string, name: Case): object {
  const { routes, upgrade_configs } = CASES[name]
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    upgrade_configs,
    http2_protocol_options: { allow_connect: true },
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes }], validate_clusters: false },
  })
  return {
    name,
    address: { socket_address: { address, port_value: portOf(name) } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  }
}

/** What a plane says until `isEnough`, the connection's own fields and what tells the planes apart left out. */
function talk(address: string, port: number, pieces: readonly string[], isEnough: RegExp): Promise<object> {
  return new Promise((resolve, reject) => {
    let text = ''
    let next = 0
    const socket: Socket = connect(port, address)
    const writeNext = () => {
      if (next < pieces.length) socket.write(pieces[next++] as string, 'latin1')
    }
    writeNext()
    socket.setTimeout(10_000, () => socket.destroy(new Error(`not enough: ${JSON.stringify(text)}`)))
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      writeNext()
      if (!isEnough.test(text)) return
      resolve(outcome(neutral(text, address, socket.localPort ?? 0)))
      socket.destroy()
    })
  })
}

/** Without what tells the planes, and the connections to them, apart in a PROXY header; and how bytes came in pieces. */
function neutral(text: string, address: string, clientPort: number): string {
  const bytes = address.split('.').map(Number)
  const v2 = String.fromCharCode(127, 0, 0, 1, ...bytes, clientPort >> 8, clientPort & 255)
  return text.replaceAll('><', '').replace(` ${address} ${clientPort} `, ' PLANE CLIENT ').replace(v2, 'CLIENT PLANE')
}

function outcome(text: string): object {
  const end = text.indexOf('\r\n\r\n')
  const [start = '', ...lines] = text.slice(0, end).split('\r\n')
  const body = text.slice(end + 4)
  // Envoy does not tell the client why it was refused, and so the lengths differ.
  const isFailure = body.includes('reset reason')
  const varying = isFailure
    ? /^(date|server|connection|content-length):/i
    : /^(date|server|connection|x-envoy-.*-time):/i
  const isChunked = lines.includes('transfer-encoding: chunked')
  return {
    start,
    fields: lines.filter((line) => !varying.test(line)).sort(),
    body: isChunked ? body.replaceAll(/(^|\r\n)[0-9a-f]+\r\n/g, '') : body.replace(/reset reason.*/s, ''),
  }
}

const CONNECT = 'CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n'
const WHOLE = /\r\n\r\n$/
const POST = 'POST / HTTP/1.1\r\nHost: h\r\n'

withEnvoy.each([
  ['works', 'early bytes', [`${CONNECT}early`], /<early>$/],
  ['works', 'bytes in turn', [CONNECT, 'one', 'two'], /<two>$/],
  ['works', 'bytes that look like a request', [CONNECT, 'GET / HTTP/1.1\r\n\r\n'], />$/],
  ['proxy1', 'a header of version 1', [`${CONNECT}x`], /x>$/],
  ['proxy2', 'a header of version 2', [`${CONNECT}x`], /x>$/],
  ['byRoute', 'enabled by the route', [CONNECT, 'x'], /<x>$/],
  ['byManager', 'forwarded as it is, to nobody', [CONNECT], /reset reason: \w+/],
  ['byNobody', 'not enabled', [CONNECT], WHOLE],
  ['offHere', 'not on this route', [CONNECT], WHOLE],
  ['noRoute', 'no route', [CONNECT], WHOLE],
  ['answered', 'an answer of the route', [CONNECT], WHOLE],
  ['closed', 'no connection', [`${CONNECT}early`], /reset reason: \w+/],
  ['noHost', 'no host', [CONNECT], /upstream$/],
  ['noCluster', 'no cluster', [CONNECT], WHOLE],
  ['post', 'a POST of known length', [`${POST}Content-Length: 5\r\n\r\nhello`], /0\r\n\r\n$/],
  ['post', 'a POST without content', [`${POST}\r\n`], /0\r\n\r\n$/],
] as const)('%s: with %s both do the same', async (name, _what, pieces, isEnough) => {
  const port = portOf(name)
  const [theirs, ours] = await Promise.all([
    talk(pair.hosts.envoy, port, pieces, isEnough),
    talk(pair.hosts.lateen, port, pieces, isEnough),
  ])
  expect(ours).toEqual(theirs)
})

withEnvoy.each(['works', 'closed', 'offHere', 'byRoute'] as const)('%s: the same over HTTP/2', async (name) => {
  const ask = (address: string) =>
    new Promise<object>((resolve, reject) => {
      const session = connectHttp2(`http://${address}:${portOf(name)}`)
      session.on('error', reject)
      const stream = session.request({ ':method': 'CONNECT', ':authority': 'db:5432' })
      stream.end('all')
      let text = ''
      let status = 0
      stream.on('response', (headers) => {
        status = Number(headers[':status'])
      })
      stream.on('data', (chunk) => {
        text += chunk
      })
      stream.on('error', reject)
      stream.on('close', () => {
        session.destroy()
        resolve({ status, text: text.replace(/reset reason: .*/s, '') })
      })
    })
  const [theirs, ours] = await Promise.all([ask(pair.hosts.envoy), ask(pair.hosts.lateen)])
  expect(ours).toEqual(theirs)
})
