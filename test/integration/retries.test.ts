import { expect, test } from '@jest/globals'
import { ByteUpstream } from '../support/byte-upstream.ts'
import { eventually } from '../support/eventually.ts'
import { converse, dial, statuses } from '../support/raw-client.ts'
import { ScriptedBackend } from '../support/scripted-backend.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/** What of retries and circuit breakers needs whole proxies; the rest is in proxy/stream/tries.test.ts. */

const CLOSE = 'Connection: close\r\n\r\n'

test('a body that outgrows what is kept while its retry waits is answered with 507', async () => {
  const answered = new ByteUpstream((socket, received, upstream) => {
    if (upstream.answeredOn(socket) > 0 || !received.includes('\r\n\r\n')) return
    upstream.noteAnswer(socket)
    socket.write('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n')
  })
  const proxy = await StaticProxy.start({
    upstreams: [await answered.listen()],
    route: { retry_policy: { retry_on: '5xx', retry_back_off: { base_interval: '100s', max_interval: '1000s' } } },
  })
  try {
    const head = `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n${CLOSE}`
    const { socket, heard } = await dial(proxy.port)
    socket.write(`${head}${'x'.repeat(100)}`)
    await eventually(() => expect(proxy.metric('cluster.upstream_rq_5xx')).toBe(1))
    socket.write('x'.repeat(2_999_900))
    await eventually(() => expect(statuses(heard.text)).toEqual([507]))
    expect(heard.text).toContain('exceeded request buffer limit while retrying upstream')
    socket.destroy()
    expect(proxy.metric('cluster.retry_or_shadow_abandoned')).toBe(1)
  } finally {
    await proxy.stop()
    answered.close()
  }
})

test('requests of priority HIGH are not held up by others', async () => {
  const silent = new ByteUpstream((socket, received) => {
    if (received.startsWith('GET /vip')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  })
  const port = await silent.listen()
  const routes = [
    { match: { prefix: '/vip' }, route: { cluster: 'upstream', priority: 'HIGH' } },
    { match: { prefix: '/' }, route: { cluster: 'upstream' } },
  ]
  const proxy = await StaticProxy.start({
    upstreams: [port],
    manager: { route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes }] } },
    cluster: { circuit_breakers: { thresholds: [{ max_requests: 1 }, { priority: 'HIGH', max_requests: 1 }] } },
  })
  try {
    const first = converse(proxy.port, [`GET / HTTP/1.1\r\nHost: h\r\n${CLOSE}`]).catch(() => undefined)
    await eventually(() => expect(silent.text).toContain('GET / '))
    expect(proxy.metric('cluster.circuit_breakers.default.rq_open')).toBe(1)
    const second = await converse(proxy.port, [`GET / HTTP/1.1\r\nHost: h\r\n${CLOSE}`])
    expect(statuses(second.text)).toEqual([503])
    expect(second.text).toContain('x-envoy-overloaded: true')
    const vip = await converse(proxy.port, [`GET /vip HTTP/1.1\r\nHost: h\r\n${CLOSE}`])
    expect(statuses(vip.text)).toEqual([200])
    silent.cutConnections()
    await first
    await eventually(() => expect(proxy.metric('cluster.circuit_breakers.default.rq_open')).toBe(0))
  } finally {
    await proxy.stop()
    silent.close()
  }
})

test('a call is over when its grpc-timeout is, as far as the route lets it ask', async () => {
  const silent = new ByteUpstream(() => {})
  const proxy = await StaticProxy.start({
    upstreams: [await silent.listen()],
    route: {
      max_stream_duration: { grpc_timeout_header_max: '0.2s', grpc_timeout_header_offset: '0.05s' },
    },
  })
  try {
    const lines = 'Content-Type: application/grpc\r\ngrpc-timeout: 1H\r\nContent-Length: 0\r\n'
    const { text } = await converse(proxy.port, [`POST / HTTP/1.1\r\nHost: h\r\n${lines}${CLOSE}`])
    expect(statuses(text)).toEqual([200])
    expect(text).toContain('grpc-status: 4')
    expect(silent.text).toContain('grpc-timeout: 150m')
    expect(proxy.metric('http.downstream_rq_max_duration_reached')).toBe(1)
  } finally {
    await proxy.stop()
    silent.close()
  }
})

test('what comes from outside steers nothing, and what comes from inside does', async () => {
  const backend = new ScriptedBackend()
  const upstreams = [await backend.listen()]
  const inside = { cidr_ranges: [{ address_prefix: '127.0.0.0', prefix_len: 8 }] }
  const outer = await StaticProxy.start({ upstreams, manager: { use_remote_address: true } })
  const inner = await StaticProxy.start({
    upstreams,
    manager: { use_remote_address: true, internal_address_config: inside },
  })
  try {
    const steering = 'x-envoy-retry-on: 5xx\r\nx-envoy-max-retries: 2\r\n'
    for (const [name, { port }] of Object.entries({ outer, inner })) {
      const lines = `x-case: ${name}\r\nx-script: 503\r\n${steering}`
      await converse(port, [`GET / HTTP/1.1\r\nHost: h\r\n${lines}${CLOSE}`])
    }
    expect([backend.tries('outer').length, backend.tries('inner').length]).toEqual([1, 3])
  } finally {
    await outer.stop()
    await inner.stop()
    backend.close()
  }
})
