import { connect } from 'node:http2'
import { afterEach, expect, test } from '@jest/globals'
import { ByteUpstream } from '../support/byte-upstream.ts'
import { converse } from '../support/raw-client.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/** The client behind trusted proxies, by either protocol. What is believed of it is tested in proxy/decide/forwarding.test.ts. */

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const LIST = '203.0.113.9, 203.0.113.7'

async function start() {
  const upstream = new ByteUpstream()
  const value = '%DOWNSTREAM_REMOTE_ADDRESS%'
  const proxy = await StaticProxy.start({
    upstreams: [await upstream.listen()],
    manager: {
      use_remote_address: true,
      xff_num_trusted_hops: 1,
      route_config: {
        name: 'r',
        request_headers_to_add: [{ header: { key: 'x-client', value } }],
        virtual_hosts: [
          { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'upstream' } }] },
        ],
      },
    },
  })
  ends.push(
    () => proxy.stop(),
    () => upstream.close(),
  )
  return { proxy, upstream }
}

function check(received: string): void {
  expect(received).toContain(`x-forwarded-for: ${LIST},127.0.0.1\r\n`)
  expect(received).toContain('x-client: 203.0.113.7:0\r\n')
  expect(received).toContain('x-envoy-external-address: 203.0.113.7\r\n')
  expect(received).toContain('x-forwarded-proto: https\r\n')
}

test('HTTP/1.1: the client is whom the trusted proxy names', async () => {
  const { proxy, upstream } = await start()
  const head = [
    'GET / HTTP/1.1',
    'Host: h',
    `X-Forwarded-For: ${LIST}`,
    'x-forwarded-proto: https',
    'Connection: close',
  ]
  await converse(proxy.port, [`${head.join('\r\n')}\r\n\r\n`])
  check(upstream.text)
})

test('HTTP/2: the client is whom the trusted proxy names', async () => {
  const { proxy, upstream } = await start()
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  ends.push(() => session.destroy())
  const stream = session.request({ ':path': '/', 'x-forwarded-for': LIST, 'x-forwarded-proto': 'https' })
  stream.resume()
  await new Promise((resolve) => stream.on('end', resolve))
  check(upstream.text)
})
