import { LOG_LEVELS, type LogLevel, logLevel, setLogLevel } from '../../../lib/log.ts'
import { prometheusText } from '../../../lib/metrics/exposition.ts'
import { processMetrics } from '../../../lib/metrics/process.ts'
import type { Agent } from '../agent.ts'
import { certs } from './certs.ts'
import { clustersJson, clustersText } from './clusters.ts'
import { configDump } from './config-dump.ts'
import { serverInfo, serverState } from './server-info.ts'
import { proxyMetrics } from './server-stats.ts'
import { statsPage } from './stats.ts'
import { tracingText } from './tracing.ts'

export interface AdminReply {
  status?: number
  contentType?: string
  body: string
}

export interface AdminRoute {
  path: string
  help: string
  /** Changes something, so POST only. */
  mutates: boolean
  answer(agent: Agent, query: URLSearchParams): AdminReply | Promise<AdminReply>
}

const JSON_TYPE = 'application/json'
/** Envoy's names: `envoy_cluster_upstream_rq_total{envoy_cluster_name="..."}`. */
const ENVOY_PREFIXES = { namePrefix: 'envoy_', labelPrefix: 'envoy_', keepsPlainNames: true }
const DRAIN_MS = 10_000

/** Every admin path (envoy: Administration interface). */
export const ADMIN_ROUTES: readonly AdminRoute[] = [
  get('/', 'this help', () => ({ body: helpText() })),
  get('/help', 'this help', () => ({ body: helpText() })),
  get('/ready', 'LIVE with 200 once configuration is in force, else 503', (agent) => ({
    status: agent.isReady ? 200 : 503,
    body: `${serverState(agent)}\n`,
  })),
  get('/server_info', 'version, state, node and uptime', (agent) => json(serverInfo(agent))),
  get('/tracing', 'whether the application passes on the context of traces', (agent) => ({ body: tracingText(agent) })),
  get('/config_dump', 'everything that was accepted (?resource=, ?include_eds)', (agent, query) =>
    json(configDump(agent, query)),
  ),
  get('/certs', 'certificates of TLS contexts, and the workload identity', ({ resources, identity, clock }) =>
    json(certs(resources.plan, identity, clock.wallMs())),
  ),
  get('/clusters', 'clusters, their limits and hosts (?format=json)', async (agent, query) => {
    const clusters = await agent.planes.clusters()
    return query.get('format') === 'json' ? json(clustersJson(clusters)) : { body: clustersText(clusters) }
  }),
  get('/listeners', 'listeners and their addresses (?format=json)', (agent, query) => listeners(agent, query)),
  get(
    '/stats',
    'counters, gauges and histograms (?filter=regex, ?usedonly, ?format=json|prometheus)',
    async (agent, query) => {
      return query.get('format') === 'prometheus' ? prometheus(agent) : statsPage(proxyMetrics(agent), query)
    },
  ),
  get('/stats/prometheus', 'all of it for Prometheus', prometheus),
  post('/logging', 'reads or sets the log level (?level=)', (_agent, query) => logging(query)),
  post('/reopen_logs', 'writes access logs to new files, where theirs were moved away', (agent) => {
    agent.planes.reopenLogs()
    return { body: 'OK\n' }
  }),
  post('/healthcheck/fail', 'fails health checks', (agent) => setFailing(agent, true)),
  post('/healthcheck/ok', 'takes /healthcheck/fail back', (agent) => setFailing(agent, false)),
  post('/drain_listeners', 'stops accepting; requests under way finish', (agent) => {
    void agent.planes.drain(DRAIN_MS)
    return { body: 'OK\n' }
  }),
  post('/quitquitquit', 'ends the process', (agent) => {
    agent.onQuit()
    return { body: 'OK\n' }
  }),
]

function get(path: string, help: string, answer: AdminRoute['answer']): AdminRoute {
  return { path, help, mutates: false, answer }
}

function post(path: string, help: string, answer: AdminRoute['answer']): AdminRoute {
  return { path, help, mutates: true, answer }
}

function json(value: unknown): AdminReply {
  return { contentType: JSON_TYPE, body: `${JSON.stringify(value, null, 1)}\n` }
}

async function prometheus(agent: Agent): Promise<AdminReply> {
  const body = await ownMetrics(agent)
  return { contentType: 'text/plain; version=0.0.4; charset=utf-8', body }
}

/** All that the proxy counts, in Prometheus' text format; with `ofProcess`, also what every process says of itself. */
export async function ownMetrics(agent: Agent, ofProcess = true): Promise<string> {
  const text = await prometheusText(proxyMetrics(agent), ENVOY_PREFIXES, ofProcess ? processMetrics() : [])
  agent.planes.noteScrape()
  return text
}

function listeners(agent: Agent, query: URLSearchParams): AdminReply {
  const all = agent.planes.listeners()
  if (query.get('format') !== 'json') {
    return { body: all.map((l) => `${l.name}::${l.address}:${l.port}\n`).join('') }
  }
  return json({
    listener_statuses: all.map((l) => ({
      name: l.name,
      local_address: { socket_address: { address: l.address, port_value: l.port } },
    })),
  })
}

function logging(query: URLSearchParams): AdminReply {
  const level = query.get('level')
  if (level === null) return { body: `active level: ${logLevel()}\n` }
  if (!LOG_LEVELS.includes(level as LogLevel)) {
    return { status: 400, body: `unknown level ${level}; levels: ${LOG_LEVELS.join(', ')}\n` }
  }
  setLogLevel(level as LogLevel)
  return { body: `active level: ${level}\n` }
}

function setFailing(agent: Agent, failing: boolean): AdminReply {
  agent.isFailingHealthChecks = failing
  return { body: 'OK\n' }
}

function helpText(): string {
  const width = Math.max(...ADMIN_ROUTES.map((route) => route.path.length))
  const lines = ADMIN_ROUTES.map((r) => `  ${r.path.padEnd(width)}  ${r.help}${r.mutates ? ' (POST)' : ''}`)
  return `admin commands are:\n${lines.join('\n')}\n`
}
