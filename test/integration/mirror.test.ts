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
