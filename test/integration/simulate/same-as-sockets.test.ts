import { createServer, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import type { Arrival, Endpoint } from '../../../cli/simulate/mesh/endpoint.ts'
import type { ProxyGroup } from '../../../cli/simulate/mesh/group.ts'
import { Network } from '../../../cli/simulate/mesh/network.ts'
import { SimulatedProxy } from '../../../cli/simulate/mesh/proxy.ts'
import { type CallTarget, requestBytes } from '../../../cli/simulate/mesh/target.ts'
import { EventClock } from '../../../lib/event-clock.ts'
import { silentLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { type Random, randomInt, seededRandom } from '../../../lib/random.ts'
import { TimerWheel } from '../../../lib/timer-wheel.ts'
import { compileStatic, parseBootstrap } from '../../../proxy/agent/bootstrap.ts'
import { DataPlane } from '../../../proxy/data-plane.ts'
import { EMPTY_PLAN, type HttpManagerPlan, type ListenerPlan, type Plan } from '../../../proxy/plan/plan.ts'
import { BugReporter } from '../../../proxy/stream/bugs.ts'
import { DateHeader } from '../../../proxy/stream/date.ts'
import { ManagerStats } from '../../../proxy/stream/manager-stats.ts'
import { OutBuffer } from '../../../proxy/stream/out-buffer.ts'
import { staticBootstrap } from '../../support/static-proxy.ts'

/** What a host does with one request. */
type Act = 200 | 404 | 500 | 503 | 'reset' | 'hang'

const HOSTS = 3
const CALLS = 40

/** What each host does with its first request, its second, and so on. */
function scripts(random: Random): Act[][] {
  const acts: Act[] = [200, 200, 200, 404, 500, 503, 503, 'reset', 'reset', 'hang']
  return Array.from({ length: HOSTS }, () =>
    Array.from({ length: CALLS * 4 }, () => acts[randomInt(random, acts.length)] as Act),
  )
}

interface Outcome {
  statuses: number[]
  /** Which host each request came to, in order. */
  hosts: number[]
  counters: Record<string, number>
}

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

function planFor(ports: readonly number[], cluster: object): Plan {
  const endpoints = ports.map((port, i) => ({
    endpoint: { address: { socket_address: { address: addressOf(i), port_value: port } } },
  }))
  const text = staticBootstrap({
    upstreams: [],
    route: {
      timeout: '2s',
      retry_policy: {
        retry_on: '5xx',
        num_retries: 2,
        per_try_timeout: '0.3s',
        retry_back_off: { base_interval: '0.002s', max_interval: '0.004s' },
      },
    },
    cluster: {
      load_assignment: { cluster_name: 'upstream', endpoints: [{ lb_endpoints: endpoints }] },
      // A budget counts by seconds, of which a simulation has as many as it likes.
      circuit_breakers: { thresholds: [{ max_retries: 100 }] },
      ...cluster,
    },
  })
  const { listeners, clusters } = compileStatic(parseBootstrap(text, 'test'), 'test')
  return { ...EMPTY_PLAN, listeners, clusters }
}

/** Loopback addresses that differ, since simulated hosts are told apart by address. */
function addressOf(host: number): string {
  return `127.0.0.${host + 2}`
}

/** Of the counters that both can have; a simulated network has no sockets to count bytes of. */
function countersOf(metrics: MetricStore): Record<string, number> {
  const counted = metrics.all().filter(({ kind, name }) => kind === 'counter' && name.startsWith('cluster.'))
  return Object.fromEntries(counted.filter(({ value }) => value !== 0).map(({ name, value }) => [name, value]))
}

async function overSockets(script: readonly Act[][], cluster: object, seed: number): Promise<Outcome> {
  const hosts: number[] = []
  const servers: Server[] = []
  for (const [i, acts] of script.entries()) {
    let number = 0
    const server = createServer((_request, response: ServerResponse) => {
      hosts.push(i)
      const act = acts[number++]
      if (act === 'reset') response.socket?.destroy()
      else if (act !== 'hang') response.writeHead(act as number, { 'content-length': 0 }).end()
    })
    server.keepAliveTimeout = 0
    await new Promise<void>((resolve) => server.listen(0, addressOf(i), resolve))
    servers.push(server)
  }
  const metrics = new MetricStore()
  const plane = new DataPlane({ random: seededRandom(seed), metrics, log: silentLogger })
  closing.push(() => {
    plane.close()
    for (const server of servers) {
      server.closeAllConnections()
      server.close()
    }
  })
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await plane.setPlan(planFor(ports, cluster))
  const [listener] = plane.listeners.values()
  const statuses: number[] = []
  for (let i = 0; i < CALLS; i++) statuses.push(await call((listener as { port: number }).port))
  return { statuses, hosts, counters: countersOf(metrics) }
}

function call(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: '/', agent: false }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject)
    sent.end()
  })
}

function simulated(script: readonly Act[][], cluster: object, seed: number): Outcome {
  const clock = new EventClock()
  const network = new Network(clock, 0.05)
  const hosts: number[] = []
  script.forEach((acts, i) => {
    let number = 0
    const endpoint = {
      address: addressOf(i),
      onConnect: () => 'accept',
      onRequest(arrival: Arrival) {
        hosts.push(i)
        const act = acts[number++]
        if (act === 'reset') arrival.reset(false)
        else if (act !== 'hang') arrival.answer(act as number)
      },
    }
    network.add(endpoint as unknown as Endpoint)
  })
  const plan = planFor(
    script.map(() => 80),
    cluster,
  )
  const metrics = new MetricStore()
  const [listener] = plan.listeners.values()
  const manager = (listener as ListenerPlan).filterChains[0]?.filter as HttpManagerPlan
  const stats = new ManagerStats(metrics, manager.statPrefix)
  const group = { plan, metrics, entryOf: () => ({ manager, stats }) }
  const world = {
    clock,
    wheel: new TimerWheel(clock),
    date: new DateHeader(clock),
    out: new OutBuffer(),
    bugs: new BugReporter(metrics, silentLogger),
    wire: network,
    downstreams: 0,
  }
  // The first draw is for request ids, which the real proxy takes from elsewhere.
  const dice = seededRandom(seed)
  let draws = 0
  const random = { next: () => (draws++ === 0 ? 0 : dice.next()) }
  const proxy = new SimulatedProxy(world, group as unknown as ProxyGroup, '10.0.0.1', random)
  // Which draws too, and in a real proxy is there before the first call.
  proxy.cluster('upstream')
  const target: CallTarget = {
    service: 'a',
    address: '127.0.0.1',
    port: 80,
    bytes: requestBytes('GET', '/', 'a', {}),
  }
  const statuses: number[] = []
  for (let i = 0; i < CALLS; i++) {
    proxy.call(target, { onCallEnd: (status) => statuses.push(status) })
    // As long as it takes, and no longer: what may be sent again is counted by the second.
    while (statuses.length === i) clock.runUntil(clock.nowMs() + 10)
  }
  return { statuses, hosts, counters: countersOf(metrics) }
}

test.each([
  ['round robin', {}],
  ['least request', { lb_policy: 'LEAST_REQUEST' }],
  ['random hosts', { lb_policy: 'RANDOM' }],
])(
  'a simulated network brings about what sockets do: %s',
  async (_name, cluster) => {
    const seed = 4711
    console.log(`seed ${seed}`)
    const script = scripts(seededRandom(seed))
    const real = await overSockets(script, cluster, seed)
    const found = simulated(script, cluster, seed)
    expect(found).toEqual(real)
    // The script has all of it in it.
    expect(new Set(real.statuses).size).toBeGreaterThan(2)
    for (const name of ['retry', 'per_try_timeout', 'rx_reset', 'retry_success']) {
      expect([name, (real.counters[`cluster.upstream_rq_${name}`] ?? 0) > 2]).toEqual([name, true])
    }
  },
  60_000,
)
