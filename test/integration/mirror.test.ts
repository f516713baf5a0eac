import { expect, test } from '@jest/globals'
import { ByteUpstream } from '../support/byte-upstream.ts'
import { eventually } from '../support/eventually.ts'
import { converse, statuses } from '../support/raw-client.ts'
import { StaticProxy } from '../support/static-proxy.ts'

test('a mirror that never answers is given up when the time-out of the route is over', async () => {
  const [main, shadow] = [new ByteUpstream(), new ByteUpstream(() => {})]
  const ports = [await main.listen(), await shadow.listen()] as const
  const proxy = await StaticProxy.start({
    upstreams: [ports[0]],
    route: { timeout: '0.2s', request_mirror_policies: [{ cluster: 'shadow' }] },
    moreClusters: { shadow: ports[1] },
  })
  try {
    const { text } = await converse(proxy.port, ['GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'])
    expect(statuses(text)).toEqual([200])
    await eventually(() => expect(shadow.text).toContain('Host: h-shadow'))
    await eventually(() => expect(proxy.metric('cluster.upstream_rq_timeout')).toBe(1))
    await eventually(() => expect(shadow.openConnections).toBe(0))
  } finally {
    await proxy.stop()
    await Promise.all([main.close(), shadow.close()])
  }
})

test('each mirror gets its share of the requests', async () => {
  const [main, few, many] = [new ByteUpstream(), new ByteUpstream(), new ByteUpstream()]
  const ports = [await main.listen(), await few.listen(), await many.listen()] as const
  const share = (cluster: string, numerator: number) => ({
    cluster,
    runtime_fraction: { default_value: { numerator, denominator: 'HUNDRED' } },
  })
  const proxy = await StaticProxy.start({
    upstreams: [ports[0]],
    route: { request_mirror_policies: [share('few', 25), share('many', 60), share('none', 0)] },
    moreClusters: { few: ports[1], many: ports[2], none: ports[1] },
  })
  try {
    const count = 1000
    const requests = Array.from({ length: count }, (_, i) => {
      const last = i === count - 1 ? 'Connection: close\r\n' : ''
      return `GET /${i} HTTP/1.1\r\nHost: h\r\n${last}\r\n`
    })
    const { text } = await converse(proxy.port, requests)
    expect(statuses(text).length).toBe(count)
    const seen = ({ text }: ByteUpstream) => text.split('GET /').length - 1
    // Five standard deviations of a binomial distribution.
    const within = (part: number) => 5 * Math.sqrt(count * part * (1 - part))
    await eventually(() => {
      expect(Math.abs(seen(few) - count * 0.25)).toBeLessThan(within(0.25))
      expect(Math.abs(seen(many) - count * 0.6)).toBeLessThan(within(0.6))
    })
    expect(seen(main)).toBe(count)
  } finally {
    await proxy.stop()
    for (const upstream of [main, few, many]) upstream.close()
  }
})
