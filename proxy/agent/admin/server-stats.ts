import type { MetricReading, MetricSource } from '../../../lib/metrics/store.ts'
import { VERSION } from '../../../lib/version.ts'
import type { Agent } from '../agent.ts'
import { daysUntilFirstExpiry } from './certs.ts'
import { serverState } from './server-info.ts'

/** Envoy's numbers of its states (envoy.admin.v3.ServerInfo.State). */
const STATES = { LIVE: 0, DRAINING: 1, INITIALIZING: 3 } as const

/** Istio's: how many proxies run which version. */
const BUILD: MetricReading = {
  name: 'istio_build',
  labels: { component: 'proxy', tag: VERSION },
  kind: 'gauge',
  value: 1,
}

/** All that a proxy counts, with what it says of itself as a server under Envoy's names: read when it is asked for. */
export function proxyMetrics(agent: Agent): MetricSource {
  const { metrics } = agent.planes
  return {
    all: () => [...metrics.all(), ...serverReadings(agent), BUILD],
    histograms: () => metrics.histograms(),
  }
}

function serverReadings(agent: Agent): MetricReading[] {
  const { clock, startedMs, planes, resources, workers } = agent
  const state = serverState(agent)
  const { heapUsed, heapTotal, external } = process.memoryUsage()
  const gauges = {
    concurrency: Math.max(1, workers),
    days_until_first_cert_expiring: daysUntilFirstExpiry(resources.plan, clock.wallMs()),
    live: state === 'DRAINING' ? 0 : 1,
    memory_allocated: heapUsed + external,
    memory_heap_size: heapTotal + external,
    state: STATES[state],
    total_connections: planes.connectionCount,
    uptime: Math.floor((clock.nowMs() - startedMs) / 1000),
  }
  return Object.entries(gauges).map(([name, value]) => ({ name: `server.${name}`, labels: {}, kind: 'gauge', value }))
}
