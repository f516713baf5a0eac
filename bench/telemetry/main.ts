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
 * nothing. Two at a time get their load at once and share a core: a machine that slows down for a while slows both of them alike.
 */

const ROUNDS = 10
const ROUND_SECONDS = 3
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
    await report(await measure(work, subjects))
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

interface Compared {
  readonly subject: Subject
  /** Microseconds of CPU per request, by round. */
  readonly own: number[]
  readonly ofNothing: number[]
}

/** Each that observes beside the one that does not. */
async function measure(work: Workplace, subjects: readonly Subject[]): Promise<Compared[]> {
  const [nothing, ...others] = subjects as [Subject, ...Subject[]]
  for (const subject of subjects) await loaded(work, [subject], WARM_SECONDS)
  process.stderr.write('warm')
  const compared = others.map((subject): Compared => ({ subject, own: [], ofNothing: [] }))
  for (let round = 1; round <= ROUNDS; round++) {
    for (const { subject, own, ofNothing } of compared) {
      const costs = await loaded(work, [subject, nothing], ROUND_SECONDS)
      own.push(costs[0] as number)
      ofNothing.push(costs[1] as number)
    }
    process.stderr.write(` ${round}`)
  }
  process.stderr.write('\n')
  return compared
}

/** What a request costs each of these in microseconds of CPU, all under load. */
async function loaded(work: Workplace, subjects: readonly Subject[], seconds: number): Promise<number[]> {
  const cpuOf = () => subjects.map(({ process: { pid } }) => cpuSeconds(pid as number))
  const before = cpuOf()
  const runs = await Promise.all(subjects.map(({ port }) => wrk(work, port, { connections: CONNECTIONS, seconds })))
  return cpuOf().map((after, i) => ((after - (before[i] as number)) * 1e6) / (runs[i]?.requests ?? 0))
}

async function report(compared: readonly Compared[]): Promise<void> {
  const micros = (costs: readonly number[]) => spread(costs).median.toFixed(1)
  for (const { subject, own, ofNothing } of compared) {
    const { median } = pairedRatio(own, ofNothing)
    const sorted = own.map((cost, i) => cost / (ofNothing[i] as number)).sort((a, b) => a - b)
    const quartiles = [0.25, 0.75].map((share) => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(3))
    process.stdout.write(
      `${subject.label}: ${micros(own)} us/request, ${median.toFixed(3)} of the ${micros(ofNothing)} with nothing observed ` +
        `(quartiles ${quartiles.join('..')})${await proofs(subject.adminPort)}\n`,
    )
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
