import { describe, expect, test } from '@jest/globals'
import { HeldClock, ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { seededRandom } from '../../lib/random.ts'
import { TimerWheel } from '../../lib/timer-wheel.ts'
import { clusterPlan, typed } from '../plan/testing.ts'
import { BugReporter } from '../stream/bugs.ts'
import { OutBuffer } from '../stream/out-buffer.ts'
import type { Attempt } from './attempt.ts'
import { ownBreakerTable } from './breaker-counts.ts'
import { PRIORITY } from './circuit-breaker.ts'
import { Cluster } from './cluster.ts'
import type { ConnectionPool } from './connection-pool.ts'
import { HEALTH_FLAG } from './health.ts'
import type { Host } from './host.ts'
import { endpointAt } from './outlier/testing.ts'
import type { PooledConnection } from './upstream-stream.ts'
import type { VirtualConnector, Wire } from './wire.ts'

/** What becomes of connections when those who use them are to be called otherwise, or are gone. */

/** A connection that the test opens, and whose exchanges it ends. */
class HeldConnection implements VirtualConnector, PooledConnection {
  rosterIndex = -1
  readonly protocol = ''
  isListed = false
  isUnsettled = false
  isOpen = false
  isClosed = false
  readonly served: Attempt[] = []
  readonly #pool: ConnectionPool
  #limit = 1
  #isDraining = false

  constructor(pool: ConnectionPool) {
    this.#pool = pool
  }

  open(): void {
    this.isOpen = true
    this.#pool.onConnected(this)
    if (this.isUnsettled) this.#pool.onSettled(this, this.#limit)
  }

  speak(_pool: ConnectionPool, isHttp2: boolean): PooledConnection {
    this.#limit = isHttp2 ? 10 : 1
    return this
  }

  get room(): number {
    return this.isClosed || this.#isDraining ? 0 : this.#limit - this.served.length
  }

  start(attempt: Attempt): void {
    this.served.push(attempt)
    attempt.onStream({} as never)
  }

  /** The first exchange is over. */
  answer(): void {
    this.served.shift()?.onResponseEnd()
    this.#pool.breaker.releaseRequest(this.#pool.host)
    if (!this.#isDraining) this.#pool.onRoom(this)
    else if (this.served.length === 0) this.close()
  }

  drain(): void {
    this.#isDraining = true
    if (this.served.length === 0) this.close()
  }

  close(): void {
    this.isClosed = true
    this.#pool.onClosed(this, '')
  }
}

const SPEAKS = {
  http1: {},
  http2: {
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed('upstreams.http.v3.HttpProtocolOptions', {
        explicitHttpConfig: { http2ProtocolOptions: {} },
      }),
    },
  },
}

const tlsTo = (sni: string) => ({
  transportSocket: {
    name: 'envoy.transport_sockets.tls',
    typedConfig: typed('transport_sockets.tls.v3.UpstreamTlsContext', { sni }),
  },
})
const matched = (sni: string) => ({ transportSocketMatches: [{ name: 'm', match: { tls: 'on' }, ...tlsTo(sni) }] })

const CHECK = { timeout: '1s', interval: '1s', unhealthyThreshold: 1, healthyThreshold: 1, tcpHealthCheck: {} }

function setUp(fields: object) {
  const connections: HeldConnection[] = []
  const wire: Wire = {
    connect(_target, pool) {
      const connection = new HeldConnection(pool)
      connections.push(connection)
      return connection
    },
  }
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const cluster = new Cluster(clusterPlan(fields), {
    clock: new HeldClock(clock),
    metrics,
    wire,
    wheel: new TimerWheel(clock),
    out: new OutBuffer(),
    bugs: new BugReporter(metrics, silentLogger),
    random: seededRandom(1),
    breakers: ownBreakerTable,
  })
  cluster.setEndpointsOnce([endpointAt(1)])
  const host = cluster.pickHost() as Host
  const told: string[] = []
  const ask = (name: string): Attempt => {
    const attempt = {
      method: 'GET',
      authority: 'a',
      priority: PRIORITY.default,
      onStream: () => told.push(`${name} begins`),
      onResponseEnd: () => told.push(`${name} ends`),
      onPoolFailure: (reason: string) => told.push(`${name} ${reason}`),
    } as unknown as Attempt
    cluster.send(host, attempt)
    return attempt
  }
  const replace = (changed: object) => cluster.replacePlan(clusterPlan(changed))
  const connection = (i: number) => connections[i] as HeldConnection
  return { cluster, host, connections, connection, told, ask, replace }
}

describe.each(Object.entries(SPEAKS))('%s', (_protocol, speaks) => {
  test('what is being opened when hosts are to be called otherwise serves who waits, and then closes', () => {
    const { host, connections, connection, told, ask, replace } = setUp(speaks)
    ask('a')
    replace({ ...speaks, ...tlsTo('other') })
    ask('b')
    expect([connections.length, host.connectionCount]).toEqual([2, 2])
    connection(0).open()
    expect(told).toEqual(['a begins'])
    connection(0).answer()
    expect([connection(0).isClosed, host.connectionCount]).toEqual([true, 1])
    connection(1).open()
    connection(1).answer()
    expect([connection(1).isClosed, host.connectionCount]).toEqual([false, 1])
    expect(told).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  })

  test('who waited before hosts were called otherwise can give up all the same', () => {
    const { cluster, host, connection, told, ask, replace } = setUp(speaks)
    const attempt = ask('a')
    replace({ ...speaks, ...tlsTo('other') })
    cluster.cancel(host, attempt)
    expect(cluster.stats.upstream_rq_pending_active.value).toBe(0)
    connection(0).open()
    expect([told, connection(0).isClosed, host.connectionCount]).toEqual([[], true, 0])
  })

  test('what is busy when hosts are called otherwise closes when it is done, and is counted until then', () => {
    const { host, connection, told, ask, replace } = setUp(speaks)
    ask('a')
    connection(0).open()
    replace({ ...speaks, ...tlsTo('other') })
    replace({ ...speaks, ...tlsTo('another') })
    expect([connection(0).isClosed, host.connectionCount]).toEqual([false, 1])
    connection(0).answer()
    expect([told, connection(0).isClosed, host.connectionCount]).toEqual([['a begins', 'a ends'], true, 0])
  })

  test.each([
    ['the host', (cluster: Cluster) => cluster.setEndpointsOnce([endpointAt(2)])],
    ['the cluster', (cluster: Cluster) => cluster.remove()],
  ])('what is busy, idle and being opened when %s goes', (_what, removeFrom) => {
    const { cluster, host, connection, told, ask } = setUp(speaks)
    ask('a')
    connection(0).open()
    connection(0).answer()
    ask('b')
    removeFrom(cluster)
    expect(connection(0).isClosed).toBe(false)
    connection(0).answer()
    expect(connection(0).isClosed).toBe(true)
    // Who has chosen the host before still gets there.
    ask('c')
    connection(1).open()
    connection(1).answer()
    expect([connection(1).isClosed, host.connectionCount]).toEqual([true, 0])
    expect(told.filter((word) => word.endsWith('ends'))).toEqual(['a ends', 'b ends', 'c ends'])
  })

  test('a host that is kept while its checks succeed is drained when one fails', () => {
    const { cluster, host, connection, ask } = setUp({ ...speaks, healthChecks: [CHECK] })
    cluster.health.setFoundFlag(host, HEALTH_FLAG.failedActiveCheck, false)
    cluster.setEndpointsOnce([])
    ask('a')
    connection(0).open()
    ask('b')
    cluster.health.setFoundFlag(host, HEALTH_FLAG.failedActiveCheck, true)
    expect([...cluster.hosts]).toEqual([])
    expect(connection(0).isClosed).toBe(false)
    connection(0).answer()
    if (connection(0).served.length > 0) connection(0).answer()
    else {
      connection(1).open()
      connection(1).answer()
    }
    expect(host.connectionCount).toBe(0)
    cluster.remove()
  })

  test.each([
    ['in plain text', {}],
    ['by TLS', tlsTo('a')],
    ['by TLS where the metadata says so', { ...matched('a'), ...tlsTo('b') }],
  ])('connections %s stay when something else of the cluster changes', (_how, fields) => {
    const { cluster, connections, connection, ask, replace } = setUp({ ...speaks, ...fields })
    ask('a')
    connection(0).open()
    connection(0).answer()
    replace({ ...speaks, ...fields, circuitBreakers: { thresholds: [{ maxRequests: 1 }] }, connectTimeout: '1s' })
    expect(cluster.plan.limits.maxRequests).toBe(1)
    ask('b')
    expect([connection(0).served.length, connections.length]).toEqual([1, 1])
    ask('c')
    expect(cluster.stats.upstream_rq_active.value).toBe(1)
  })

  test.each([
    ['TLS begins', {}, tlsTo('a')],
    ['TLS ends', tlsTo('a'), {}],
    ['the TLS context changes', tlsTo('a'), tlsTo('b')],
    ['that of some hosts changes', matched('a'), matched('b')],
    ['some hosts are called by TLS', {}, matched('a')],
  ])('others take their place when %s', (_what, before, after) => {
    const { connections, connection, ask, replace } = setUp({ ...speaks, ...before })
    ask('a')
    connection(0).open()
    connection(0).answer()
    replace({ ...speaks, ...after })
    expect(connection(0).isClosed).toBe(true)
    ask('b')
    expect(connections.length).toBe(2)
  })
})

test.each([
  ['another protocol', {}, SPEAKS.http2],
  ["a name that is the request's", tlsTo(''), { ...tlsTo(''), upstreamHttpProtocolOptions: { autoSni: true } }],
])('%s needs other connections', (_what, before, after) => {
  const { connections, connection, ask, replace } = setUp(before)
  ask('a')
  connection(0).open()
  connection(0).answer()
  replace(after)
  expect(connection(0).isClosed).toBe(true)
  ask('b')
  expect(connections.length).toBe(2)
})
