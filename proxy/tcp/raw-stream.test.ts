import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { HeldClock, ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { seededRandom } from '../../lib/random.ts'
import { TimerWheel } from '../../lib/timer-wheel.ts'
import { eventually } from '../../test/support/eventually.ts'
import { clusterPlan } from '../plan/testing.ts'
import { BugReporter } from '../stream/bugs.ts'
import { RequestHead, type ResponseHead } from '../stream/message.ts'
import { OutBuffer } from '../stream/out-buffer.ts'
import type { Attempt } from '../upstream/attempt.ts'
import { ownBreakerTable } from '../upstream/breaker-counts.ts'
import { Cluster } from '../upstream/cluster.ts'
import type { Host } from '../upstream/host.ts'
import type { UpstreamStream } from '../upstream/upstream-stream.ts'

/** What tunnels do is tested with whole proxies, in test/integration/connect.test.ts; here is what takes long. */

const TARGET = { path: '', authority: 'h', attemptCount: 0, preface: undefined }
const PIECE = Buffer.alloc(256 * 1024)

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** Notes what it is told. */
class NotingAttempt implements Attempt {
  waitsIn = undefined
  readonly method = 'CONNECT'
  readonly authority = 'h'
  readonly isHttp2 = false
  readonly isRaw = true
  readonly priority = 0
  readonly told: string[] = []
  stream: UpstreamStream | undefined
  onStream(stream: UpstreamStream) {
    this.stream = stream
    const head = new RequestHead()
    head.method = this.method
    stream.writeHead(head, TARGET, false)
  }
  onPoolFailure(reason: string) {
    this.told.push(reason)
  }
  onResponseHead({ status }: ResponseHead) {
    this.told.push(String(status))
  }
  onResponseData(data: Buffer) {
    this.told.push(data.toString())
  }
  onResponseEnd() {
    this.told.push('end')
  }
  onReset(reason: string) {
    this.told.push(reason)
  }
  onResponseTrailers() {}
  onReadPause() {}
  onWritable() {}
}

async function start(serve: (socket: Socket) => void) {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    ends.push(() => socket.destroy())
    socket.on('error', () => {})
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => server.close())
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const context = {
    wheel: new TimerWheel(clock),
    out: new OutBuffer(),
    bugs: new BugReporter(metrics, silentLogger),
    random: seededRandom(1),
    clock: new HeldClock(clock),
    metrics,
    breakers: ownBreakerTable,
  }
  const { port } = server.address() as AddressInfo
  const endpoint = { address: { socketAddress: { address: '127.0.0.1', portValue: port } } }
  const plan = clusterPlan({ loadAssignment: { clusterName: 'c', endpoints: [{ lbEndpoints: [{ endpoint }] }] } })
  const cluster = new Cluster(plan, context)
  cluster.setEndpointsOnce(plan.endpoints)
  const host = cluster.pickHost() as Host
  const attempt = new NotingAttempt()
  cluster.send(host, attempt)
  ends.push(() => attempt.stream?.abandon())
  return { clock, cluster, host, attempt, context }
}

test('a host that does not read what is left of a tunnel is given up', async () => {
  const { clock, cluster, host, attempt, context } = await start((socket) => socket.end('last'))
  await eventually(() => expect(attempt.told).toEqual(['200', 'last', 'end']))
  const { stream } = attempt
  // More than the kernel takes.
  while (stream?.writeData(PIECE) !== false);
  stream.writeData(PIECE)
  stream.endRequest('')
  expect(cluster.stats.upstream_rq_active.value).toBe(0)
  clock.advance(299_000)
  expect(host.connectionCount).toBe(1)
  clock.advance(2_000)
  await eventually(() => expect(host.connectionCount).toBe(0))
  expect(attempt.told).toEqual(['200', 'last', 'end'])
  expect(context.wheel.armedCount).toBe(0)
})

test('one that has read it all is not waited for', async () => {
  const { host, attempt, context } = await start((socket) => socket.end().resume())
  await eventually(() => expect(attempt.told).toEqual(['200', 'end']))
  attempt.stream?.writeData(Buffer.from('x'))
  attempt.stream?.endRequest('')
  await eventually(() => expect(host.connectionCount).toBe(0))
  expect(context.wheel.armedCount).toBe(0)
})

test('the time to connect is bounded', async () => {
  const { clock, cluster, host, attempt } = await start(() => {})
  const second = new NotingAttempt()
  cluster.replacePlan({ ...cluster.plan, limits: { ...cluster.plan.limits, maxConnections: 1 } })
  cluster.send(host, second)
  expect(second.told).toEqual(['overflow'])
  // No turn of the event loop passes in between.
  clock.advance(cluster.plan.connectTimeoutMs + 10)
  expect(attempt.told).toEqual(['connect_timeout'])
  expect(host.connectionCount).toBe(0)
  expect(cluster.stats.upstream_rq_pending_active.value).toBe(0)
})
