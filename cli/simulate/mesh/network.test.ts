import { expect, test } from '@jest/globals'
import { HeldClock } from '../../../lib/clock.ts'
import { EventClock } from '../../../lib/event-clock.ts'
import { silentLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { seededRandom } from '../../../lib/random.ts'
import { TimerWheel } from '../../../lib/timer-wheel.ts'
import { clusterPlan } from '../../../proxy/plan/testing.ts'
import { BugReporter } from '../../../proxy/stream/bugs.ts'
import { DateHeader } from '../../../proxy/stream/date.ts'
import { RequestHead, type ResponseHead } from '../../../proxy/stream/message.ts'
import { OutBuffer } from '../../../proxy/stream/out-buffer.ts'
import type { Attempt } from '../../../proxy/upstream/attempt.ts'
import { ownBreakerTable } from '../../../proxy/upstream/breaker-counts.ts'
import { PRIORITY } from '../../../proxy/upstream/circuit-breaker.ts'
import { Cluster } from '../../../proxy/upstream/cluster.ts'
import type { Host } from '../../../proxy/upstream/host.ts'
import type { UpstreamStream } from '../../../proxy/upstream/upstream-stream.ts'
import { Endpoint } from './endpoint.ts'
import type { Failure } from './failure.ts'
import { constantLatency } from './latency.ts'
import { Network } from './network.ts'

const TARGET = { path: '/', authority: 'a', attemptCount: 0, preface: undefined }
const HTTP2 = {
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    explicitHttpConfig: { http2ProtocolOptions: { maxConcurrentStreams: 2 } },
  },
}

/** A real cluster with one host of the simulated network, one way of which takes a millisecond. */
function clusterWith(json: object, failures: Failure[] = []) {
  const clock = new EventClock()
  const network = new Network(clock, 1)
  const model = {
    latency: constantLatency(10),
    concurrency: Number.POSITIVE_INFINITY,
    maxQueue: 0,
    stopsWhenAbandoned: false,
    callOthers: undefined,
  }
  const endpoint = new Endpoint('a-0', '10.0.0.1', '', model, failures, clock, seededRandom(1))
  network.add(endpoint)
  const metrics = new MetricStore()
  const bugs = new BugReporter(metrics, silentLogger)
  const address = { socketAddress: { address: '10.0.0.1', portValue: 80 } }
  const plan = clusterPlan({
    name: 'c',
    type: 'STATIC',
    loadAssignment: { clusterName: 'c', endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] },
    ...json,
  })
  const wheel = new TimerWheel(clock)
  const context = {
    clock: new HeldClock(clock),
    wheel,
    bugs,
    metrics,
    date: new DateHeader(clock),
    out: new OutBuffer(),
    random: seededRandom(1),
    breakers: ownBreakerTable,
    wire: network,
  }
  const cluster = new Cluster(plan, context)
  cluster.setEndpointsOnce(plan.endpoints)
  const host = cluster.pickHost() as Host
  const seen: string[] = []
  const send = (name: string): { stream: UpstreamStream | undefined } => {
    const sent = { stream: undefined as UpstreamStream | undefined }
    const note = (text: string) => seen.push(`${name} ${text} at ${clock.nowMs()}`)
    const attempt = {
      method: 'GET',
      authority: 'a',
      isHttp2: false,
      isRaw: false,
      priority: PRIORITY.default,
      onStream(stream: UpstreamStream) {
        sent.stream = stream
        stream.writeHead(new RequestHead(), TARGET, false)
      },
      waitsIn: undefined,
      onPoolFailure: (reason: string) => note(reason),
      onResponseHead: (head: ResponseHead) => note(String(head.status)),
      onResponseData() {},
      onResponseTrailers() {},
      onReadPause() {},
      onResponseEnd: () => note('end'),
      onReset: (reason: string) => note(reason),
      onWritable() {},
    }
    cluster.send(host, attempt as Attempt)
    return sent
  }
  return { clock, cluster, endpoint, host, seen, send }
}

function openConnections(cluster: Cluster): number {
  return cluster.stats.upstream_cx_active.value
}

const always = { fromMs: 0, toMs: Number.POSITIVE_INFINITY, value: 503, rate: 1 }

test('an HTTP/1.1 connection carries one exchange at a time and is used again', () => {
  const { clock, cluster, host, seen, send } = clusterWith({})
  send('a')
  send('b')
  clock.runUntil(20)
  send('c')
  clock.runUntil(100)
  // Two ways to connect, one for the request, ten for the work, one for the answer; the third finds a connection.
  expect(seen).toEqual(['a 200 at 14', 'a end at 14', 'b 200 at 14', 'b end at 14', 'c 200 at 32', 'c end at 32'])
  expect([cluster.stats.upstream_cx_total.value, host.activeRequests, host.totalRequests]).toEqual([2, 0, 3])
})

test('an HTTP/2 connection carries as many as it may', () => {
  const { clock, cluster, seen, send } = clusterWith({ typedExtensionProtocolOptions: HTTP2 })
  for (const name of ['a', 'b', 'c']) send(name)
  clock.runUntil(100)
  expect(seen.filter((text) => text.includes('200'))).toHaveLength(3)
  expect(cluster.stats.upstream_cx_total.value).toBe(2)
})

test('the real breakers bound what waits', () => {
  const thresholds = [{ maxConnections: 1, maxPendingRequests: 1 }]
  const { clock, cluster, seen, send } = clusterWith({ circuitBreakers: { thresholds } })
  for (const name of ['a', 'b']) send(name)
  clock.runUntil(100)
  expect(seen).toEqual(['b overflow at 0', 'a 200 at 14', 'a end at 14'])
  expect(cluster.stats.upstream_rq_pending_overflow.value).toBe(1)
})

test('connections fail as their host does', () => {
  const refused = clusterWith({}, [{ ...always, kind: 'refuse' }])
  refused.send('a')
  refused.clock.runUntil(100)
  expect(refused.seen).toEqual(['a connect_failure at 2'])
  expect(openConnections(refused.cluster)).toBe(0)
  const hole = clusterWith({ connectTimeout: '0.5s' }, [{ ...always, kind: 'blackhole' }])
  hole.send('a')
  hole.clock.runUntil(1000)
  expect(hole.seen).toEqual(['a connect_timeout at 500'])
})

test('a process that goes away takes its connections with it', () => {
  const { clock, cluster, seen, send } = clusterWith({}, [{ ...always, kind: 'refuse', fromMs: 50 }])
  send('a')
  clock.runUntil(60)
  send('b')
  clock.runUntil(100)
  expect(seen.slice(2)).toEqual(['b reset at 62'])
  expect([
    openConnections(cluster),
    cluster.stats.upstream_rq_active.value,
    cluster.stats.upstream_rq_rx_reset.value,
  ]).toEqual([0, 0, 1])
})

test('a reset ends one stream of HTTP/2, and the whole connection of HTTP/1.1', () => {
  const failures: Failure[] = [{ ...always, kind: 'reset', fromMs: 5 }]
  for (const [json, open] of [
    [{ typedExtensionProtocolOptions: HTTP2 }, 1],
    [{}, 0],
  ] as const) {
    const { clock, cluster, seen, send } = clusterWith(json, failures)
    send('a')
    clock.runUntil(50)
    send('b')
    clock.runUntil(100)
    expect(seen.at(-1)).toBe('b reset at 52')
    expect(openConnections(cluster)).toBe(open)
  }
})

test('an idle connection is closed', () => {
  const options = {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      commonHttpProtocolOptions: { idleTimeout: '1s' },
      explicitHttpConfig: { httpProtocolOptions: {} },
    },
  }
  const { clock, cluster, send } = clusterWith({ typedExtensionProtocolOptions: options })
  send('a')
  clock.runUntil(900)
  send('b')
  clock.runUntil(1800)
  expect(openConnections(cluster)).toBe(1)
  clock.runUntil(2000)
  expect(openConnections(cluster)).toBe(0)
})

test('what is given up lets its place go, and nobody hears of it', () => {
  const { clock, cluster, endpoint, host, seen, send } = clusterWith({})
  const a = send('a')
  clock.runUntil(5)
  a.stream?.abandon()
  expect(host.activeRequests).toBe(0)
  clock.runUntil(100)
  expect([seen, openConnections(cluster), endpoint.tally.wasted]).toEqual([[], 0, 1])
})
