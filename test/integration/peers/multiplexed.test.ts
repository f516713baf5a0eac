import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'

/** Two of our proxies with TLS between them: HTTP/1.1 travels multiplexed, and comes out as it went in. */

const ca = new TestCa('peers')
const leaf = ca.issue('far')
const near = new BootstrapProxy()
const far = new BootstrapProxy()
let upstream: Server
const seen: string[] = []
let answer: (socket: Socket) => unknown = (socket) => socket.write(ANSWER)

const ANSWER =
  'HTTP/1.1 200 OK\r\nX-First: 1\r\nContent-Type: text/plain\r\ndate: x\r\nETag: "A"\r\ncontent-length: 2\r\nx-Last: z\r\n\r\nok'

const MANAGER = `
    - name: envoy.filters.network.http_connection_manager
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: in
        generate_request_id: false
        server_header_transformation: PASS_THROUGH
        route_config:
          virtual_hosts: [ { name: all, domains: ["*"], routes: [ { match: { prefix: / }, route: { cluster: up } } ] } ]
        http_filters:
        - name: envoy.filters.http.router
          typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }`

const cluster = (port: number, more = '') => `
clusters:
- name: up
  connect_timeout: 2s
  load_assignment:
    cluster_name: up
    endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } } ] } ]
${more}`

const listener = (more = '') => `
listeners:
- name: in
  address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
  filter_chains:
  - filters:${MANAGER}
${more}`

const inline = (pem: string) => JSON.stringify(pem)

beforeAll(async () => {
  upstream = createServer((socket) => {
    let received = ''
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      while (isWhole(received)) {
        const end = endOf(received)
        const request = received.slice(0, end)
        received = received.slice(end)
        seen.push(request)
        answer(socket)
      }
    })
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as { port: number }
  await far.serve(
    listener(`    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
        common_tls_context:
          tls_certificates: [ { certificate_chain: { inline_string: ${inline(leaf.cert)} }, private_key: { inline_string: ${inline(leaf.key)} } } ]
`) + cluster(port),
  )
  await near.serve(
    listener() +
      cluster(
        far.port('in'),
        `  transport_socket:
    name: tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
      common_tls_context: { validation_context: { trusted_ca: { inline_string: ${inline(ca.cert)} } } }
`,
      ),
  )
})

afterAll(() => {
  near.close()
  far.close()
  upstream.close()
  ca.remove()
})

function endOf(text: string): number {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return -1
  const length = Number(/content-length: *(\d+)/i.exec(text.slice(0, head))?.[1] ?? 0)
  if (/transfer-encoding: chunked/i.test(text.slice(0, head))) {
    const end = text.indexOf('\r\n0\r\n', head)
    const last = end < 0 ? -1 : text.indexOf('\r\n\r\n', end + 3)
    return last < 0 ? -1 : last + 4
  }
  return head + 4 + length
}

const isWhole = (text: string) => endOf(text) > 0 && text.length >= endOf(text)

/** Sends these bytes and gives back what comes until the answer is whole. */
function exchange(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(near.port('in'), '127.0.0.1', () => socket.write(text, 'latin1'))
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (!isWhole(received)) return
      socket.destroy()
      resolve(received)
    })
  })
}

const REQUEST =
  'POST /Some/path?q=1 HTTP/1.1\r\nX-Zeta: 1\r\nHost: App.Example:81\r\nuser-agent: Test\r\nX-alpha: a\r\nX-Zeta: 2\r\nContent-Length: 4\r\n\r\nbody'

/** What each hop adds of its own. */
const withoutOwn = (text: string) => text.replace(/^(x-forwarded-proto|x-envoy-[a-z-]+): .*\r\n/gim, '')

test('a request and its answer keep the case and order of their fields', async () => {
  const response = await exchange(REQUEST)
  expect(withoutOwn(seen.at(-1) as string)).toBe(REQUEST)
  expect(withoutOwn(response)).toBe(ANSWER)
  expect(near.stat('cluster.upstream_cx_total')).toBe(1)
})

test('chunks and trailers pass', async () => {
  const chunked =
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Check: Sum\r\n\r\n'
  answer = (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Done: Yes\r\n\r\n')
  const response = await exchange(chunked)
  answer = (socket) => socket.write(ANSWER)
  expect(seen.at(-1)).toMatch(/\r\n\r\n5\r\nhello\r\n0\r\nX-Check: Sum\r\n\r\n$/)
  expect(response).toMatch(/\r\n\r\n3\r\nabc\r\n0\r\nX-Done: Yes\r\n\r\n$/)
})

test('many at a time share one connection between the proxies', async () => {
  const waiting: Socket[] = []
  answer = (socket) => waiting.push(socket)
  const answers = Array.from({ length: 30 }, () => exchange(REQUEST))
  await eventually(() => expect(waiting).toHaveLength(30))
  for (const socket of waiting) socket.write(ANSWER)
  answer = (socket) => socket.write(ANSWER)
  for (const response of await Promise.all(answers)) expect(response).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect(near.stat('cluster.upstream_cx_total')).toBe(1)
  expect(far.stat('http.downstream_cx_http2_total')).toBe(1)
})
