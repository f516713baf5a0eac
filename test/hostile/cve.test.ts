import { afterEach, expect, test } from '@jest/globals'
import { ByteUpstream } from '../support/byte-upstream.ts'
import { converse, statuses } from '../support/raw-client.ts'
import { StaticProxy, type StaticProxyOptions } from '../support/static-proxy.ts'
import { get, head, post } from './cases/hostile-case.ts'

/*
 * Published weaknesses of other proxies and of Node's parsers, each as the question that it puts to us. Here is what one
 * message can do; cve-routing.test.ts has what decides where it goes, cve-streams.test.ts what happens to it on its way.
 *
 * Not here, and where they belong:
 *   HTTP/2 (http2-floods.test.ts): 2019-18801, 2020-11080, 2021-32778, 2023-35945, 2023-44487, 2024-27919, 2024-27983,
 *     2024-28182, 2024-30255, 2026-26311, 2026-47774, 2026-48743, 2026-73513, 2026-73550
 *   listeners and PROXY protocol (proxy/listener/sniff, test/integration/listener): 2020-8663, 2024-23325,
 *     2024-23327, 2026-47692
 *   TLS (proxy/tls, test/integration/tls): 2020-15104, 2021-28683, 2022-21654, 2022-21656, 2024-32475, 2025-66220,
 *     2026-47778, GHSA-qm8v
 *   access logs, when there are some: 2024-34363, 2024-45808
 *   authorization, JWT, OAuth2 and their peers, when there are some: 2021-32777, 2022-29226, 2022-29228, 2023-27488,
 *     2023-27496, 2023-35941, 2024-23324, 2025-46821, 2025-55162, 2025-64527, 2026-26330,
 *     2026-47205, 2020-16844
 *   internal redirects, refused by name until there are some: 2022-21655, 2022-29227, 2026-47221
 *   compression: 2022-29225, 2024-32976, 2026-48044; health checks: 2022-29224
 *   HTTP/3, Lua, ext_proc, DNS filter, statsd, Datadog, OAuth: parts that we do not have
 */

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function start(
  options: Partial<StaticProxyOptions> = {},
): Promise<{ proxy: StaticProxy; upstream: ByteUpstream }> {
  const upstream = new ByteUpstream()
  const proxy = await StaticProxy.start({ upstreams: [await upstream.listen()], ...options })
  ends.push(
    () => proxy.stop(),
    () => upstream.close(),
  )
  return { proxy, upstream }
}

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n'
const chunked = (body: string) => post('Transfer-Encoding: chunked') + body

test.each([
  ['CVE-2019-9900: a NUL in a value', get('a: b\0c'), 400],
  ['CVE-2019-18838: no Host', head('GET / HTTP/1.1', 'a: b'), 400],
  ['CVE-2019-15226: ten thousand fields', get(...Array.from({ length: 10_000 }, () => 'a:')), 431],
  ['CVE-2020-12605: a URL of 1 MiB', head(`GET /${'a'.repeat(1 << 20)} HTTP/1.1`, 'Host: h'), 431],
  ['CVE-2021-22959: a space before a colon', `${post('Content-Length : 5')}hello`, 400],
  ['CVE-2021-22960: junk behind the size of a chunk', chunked('5 a\r\nhello\r\n0\r\n\r\n'), 400],
  ['CVE-2022-32213: chunkedchunked', `${post('Transfer-Encoding: chunkedchunked')}0\r\n\r\n`, 501],
  ['CVE-2022-32214: line feeds between fields', 'GET / HTTP/1.1\r\nHost: h\na: b\r\n\r\n', 400],
  ['CVE-2022-32215: a folded coding', `${post('Transfer-Encoding: chunked', ' , identity')}0\r\n\r\n`, 400],
  ['CVE-2022-35256: a field without its end', `${post('Transfer-Encoding: chunked\r', 'a: b')}0\r\n\r\n`, 400],
  ['CVE-2023-30589: a carriage return that ends a field', get('a: b\rTransfer-Encoding: chunked'), 400],
  ['CVE-2023-35944: a scheme in mixed case', head('GET hTTpS://h/ HTTP/1.1', 'Host: h'), 403],
  ['CVE-2024-22019: an extension of a chunk without an end', chunked(`5;${'a'.repeat(100_000)}`), 400],
  ['CVE-2024-27982: a space before a length', `${head('POST / HTTP/1.1', ' Content-Length: 36', 'Host: h')}`, 400],
  ['CVE-2025-23167: a head that ends by CR LF CR X', `GET / HTTP/1.1\r\nHost: h\r\n\rX${SMUGGLED}`, 400],
  ['GHSA-w44g: a method in another case', head('get / HTTP/1.1', 'Host: h'), 400],
])('%s is refused', async (_what, bytes, status) => {
  const { proxy, upstream } = await start()
  const { text, isClosed } = await converse(proxy.port, [bytes + SMUGGLED])
  expect({ statuses: statuses(text), isClosed }).toEqual({ statuses: [status], isClosed: true })
  expect(upstream.text).not.toContain('smuggled')
})

test('CVE-2019-18802: white space behind a value is no part of it', async () => {
  const routes = [
    {
      match: { prefix: '/', headers: [{ name: 'x', string_match: { exact: 'no' } }] },
      direct_response: { status: 403 },
    },
    { match: { prefix: '/' }, direct_response: { status: 204 } },
  ]
  const virtual_hosts = [
    { name: 'a', domains: ['a.test'], routes },
    { name: 'any', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 404 } }] },
  ]
  const { proxy } = await start({ manager: { route_config: { name: 'r', virtual_hosts } } })
  const ask = (x: string) => head('GET / HTTP/1.1', 'Host: a.test \t', `x: ${x}`, 'Connection: close')
  expect(statuses((await converse(proxy.port, [ask('yes')])).text)).toEqual([204])
  expect(statuses((await converse(proxy.port, [ask('no \t ')])).text)).toEqual([403])
})

test('CVE-2020-12605: a head that comes too slowly is given up', async () => {
  const { proxy, upstream } = await start({ manager: { request_headers_timeout: '0.1s' } })
  const { text, isClosed } = await converse(proxy.port, ['GET / HTTP/1.1\r\nHost: h\r\na'])
  expect({ statuses: statuses(text), isClosed }).toEqual({ statuses: [408], isClosed: true })
  expect(proxy.metric('http.downstream_rq_header_timeout')).toBe(1)
  expect(upstream.text).toBe('')
})

test('CVE-2021-28682: a gRPC time-out beyond all numbers is passed on', async () => {
  const { proxy, upstream } = await start()
  const request = post('Content-Type: application/grpc', 'grpc-timeout: 99999999H', 'Connection: close')
  expect(statuses((await converse(proxy.port, [request])).text)).toEqual([200])
  expect(upstream.text).toContain('grpc-timeout: 99999999H\r\n')
})

test('CVE-2022-31045: any bytes for a head are refused or served, and nothing breaks', async () => {
  const { proxy } = await start()
  for (let seed = 0; seed < 200; seed++) {
    let bytes = ''
    let state = seed * 2654435761 + 1
    for (let i = 0; i < 80; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      bytes += String.fromCharCode((state >>> 16) & 255)
    }
    const { isClosed } = await converse(proxy.port, [`GET / HTTP/1.1\r\n${bytes}\r\n\r\nX\r\n\r\n`])
    expect(isClosed).toBe(true)
  }
}, 20_000)

test('CVE-2023-27491: what is passed on is a start line and fields, whatever came', async () => {
  const { proxy, upstream } = await start()
  await converse(proxy.port, [
    get('Connection: close, x-drop', 'x-drop: 1', 'a: b \t', 'TE: gzip', 'TE: deflate', 'Upgrade: a'),
  ])
  expect(upstream.text).toMatch(/^GET \/ HTTP\/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)+\r\n$/)
  expect(upstream.text).not.toMatch(/x-drop|\nTE:|\nUpgrade:|\nConnection:/i)
})
