import type { ChildProcess } from 'node:child_process'
import { startBackend } from '../data-path/backend/nginx.ts'
import type { Additions } from '../data-path/configs/envoy.ts'
import { envoyConfig } from '../data-path/configs/envoy.ts'
import { distFile } from '../data-path/dist.ts'
import { wrk } from '../data-path/load/wrk.ts'
import { freePort } from '../data-path/ports.ts'
import { routeTable } from '../data-path/routes.ts'
import { LOAD_CORE, PROXY_CORE } from '../data-path/settings.ts'
import { pairedRatio, spread } from '../data-path/statistics.ts'
import { Workplace } from '../data-path/workplace.ts'
import { cpuSeconds } from '../process.ts'
import { observations } from './config.ts'

/**
 * What observing calls costs a proxy: CPU per request with metrics, an access log by gRPC and spans, beside one that observes
 * nothing. All run at once on one core, and get the load in turn by slices of a second: a machine that slows down for a while slows
 * all of them.
 */

const SLICES = 40
/** What is done once for many requests, as the sending of a batch, is compiled late. */
const WARM_SECONDS = 20
const CONNECTIONS = 16
const ROUTES = 10
/** All that was observed so far, as the proxy itself counts it. */
const PROOFS = /^(istio_requests_total|envoy_access_logs\S*logs_written|envoy_tracing\S*spans_sent)(?:\{.*\})? (\d+)/

interface Subject {
  readonly label: string
  readonly port: number
  readonly adminPort: number
  readonly process: ChildProcess
}

export async function benchTelemetry(): Promise<void> {
  const work = new Workplace()
  try {
    const backendPort = await startBackend(work, { protocol: 'http1', hasTls: false, bodyBytes: 64 })
    const sinkPort = await freePort()
    await work.serve([process.execPath, distFile('bench/telemetry/sink.js'), `${sinkPort}`], LOAD_CORE, sinkPort)
    const subjects: Subject[] = []
    for (const [label, additions] of Object.entries(observations(sinkPort))) {
      subjects.push(await startProxy(work, label, additions, backendPort))
    }
    const costs = await measure(work, subjects)
    await report(subjects, costs)
  } finally {
    await work.close()
  }
}

async function startProxy(
  work: Workplace,
  label: string,
  additions: Additions,
  upstreamPort: number,
): Promise<Subject> {
  const { certificates, dir } = work
  const ports = { port: await freePort(), adminPort: await freePort(), deadPort: await freePort() }
  const shape = { protocol: 'http1', downstreamTls: 'none', upstreamTls: 'none', extraClusters: 0 } as const
  const hop = { ...shape, ...ports, routes: routeTable(ROUTES), upstreamPort, certificates, dir }
  const file = work.file('bootstrap.json', envoyConfig(hop, additions))
  const command = [
    process.execPath,
    distFile('cli/main.js'),
    'proxy',
    '-c',
    file,
    '--workers',
    '0',
    '--drain-time-s',
    '0',
  ]
  return { label, ...ports, process: await work.serve(command, PROXY_CORE, hop.port) }
}

/** Microseconds of CPU per request of each slice, by label. The first slice warms up. */
async function measure(work: Workplace, subjects: readonly Subject[]): Promise<Map<string, number[]>> {
  const costs = new Map<string, number[]>(subjects.map(({ label }) => [label, []]))
  for (let slice = 0; slice <= SLICES; slice++) {
    for (const {
      label,
      port,
      process: { pid },
    } of slice % 2 === 0 ? subjects : [...subjects].reverse()) {
      const before = cpuSeconds(pid as number)
      const { requests } = await wrk(work, port, { connections: CONNECTIONS, seconds: slice === 0 ? WARM_SECONDS : 1 })
      // What is told in the end belongs to the slice, too.
      if (slice > 0) costs.get(label)?.push(((cpuSeconds(pid as number) - before) * 1e6) / requests)
    }
    process.stderr.write(slice === 0 ? 'warm' : slice % 10 === 0 ? ` ${slice}` : '')
  }
  process.stderr.write('\n')
  return costs
}

async function report(subjects: readonly Subject[], costs: ReadonlyMap<string, readonly number[]>): Promise<void> {
  const nothing = costs.get('nothing') ?? []
  for (const { label, adminPort } of subjects) {
    const own = costs.get(label) ?? []
    const { median } = pairedRatio(own, nothing)
    const sorted = own.map((cost, i) => cost / (nothing[i] as number)).sort((a, b) => a - b)
    const quartiles = [0.25, 0.75].map((share) => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(3))
    const micros = spread(own).median.toFixed(1)
    process.stdout.write(
      `${label}: ${micros} us/request, ${median.toFixed(3)} of nothing observed (quartiles ${quartiles.join('..')})`,
    )
    process.stdout.write(`${await proofs(adminPort)}\n`)
  }
}

/** What the proxy says that it has observed. */
async function proofs(adminPort: number): Promise<string> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/stats/prometheus`)).text()
  const sums = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, name, value] = PROOFS.exec(line) ?? []
    if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + Number(value))
  }
  return [...sums].map(([name, value]) => `; ${name} ${value}`).join('')
}
