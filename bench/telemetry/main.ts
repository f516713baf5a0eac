import type { ChildProcess } from 'node:child_process'
import { freePort } from '../../test/support/free-port.ts'
import { startBackend } from '../data-path/backend/nginx.ts'
import type { Additions } from '../data-path/configs/envoy.ts'
import { envoyConfig } from '../data-path/configs/envoy.ts'
import { distFile } from '../data-path/dist.ts'
import { wrk } from '../data-path/load/wrk.ts'
import { interleave } from '../data-path/rounds.ts'
import { routeTable } from '../data-path/routes.ts'
import { LOAD_CORE, PROXY_CORE } from '../data-path/settings.ts'
import { pairedRatio, spread } from '../data-path/statistics.ts'
import { Workplace } from '../data-path/workplace.ts'
import { cpuSeconds } from '../process.ts'
import { NOTHING, observations } from './config.ts'

/**
 * What observing calls costs a proxy: CPU per request with metrics, an access log by gRPC and spans, beside one that observes
 * nothing, under the load of the row h1. How V8 compiles a process differs from one to the next, so all are started several times.
 */

const STARTS = 4
/** Many short ones: what the machine does to them differs from one second to the next, and a ratio is of one round. */
const ROUNDS = 12
const ROUND_SECONDS = 1
/** What is done once for many requests, as the sending of a batch, is compiled late. */
const WARM_SECONDS = 24
const CONNECTIONS = 64
const ROUTES = 10
/** All that was observed so far, as the proxy itself counts it. */
const PROOFS = /^(istio_requests_total|envoy_access_logs\S*logs_written|envoy_tracing\S*spans_sent)(?:\{.*\})? (\d+)/

interface Subject {
  readonly label: string
  readonly port: number
  readonly adminPort: number
  readonly process: ChildProcess
}

/** By what is observed, for each start: the median of what a round cost, and of its ratios to nothing observed in the same round. */
type Results = Map<string, { readonly micros: number[]; readonly ratios: number[]; proofs: string }>

export async function benchTelemetry(): Promise<void> {
  const results: Results = new Map()
  for (let start = 1; start <= STARTS; start++) {
    const work = new Workplace()
    try {
      process.stderr.write(`start ${start}: `)
      await measureStart(work, results)
    } finally {
      await work.close()
    }
  }
  for (const [label, { micros, ratios, proofs }] of results) {
    const { median, low, high } = spread(ratios)
    process.stdout.write(
      `${label}: ${spread(micros).median.toFixed(1)} us/request, ${median.toFixed(3)} of nothing observed ` +
        `(${low.toFixed(3)}..${high.toFixed(3)} of ${STARTS} starts)${proofs}\n`,
    )
  }
}

async function measureStart(work: Workplace, results: Results): Promise<void> {
  const backendPort = await startBackend(work, { protocol: 'http1', hasTls: false, bodyBytes: 64 })
  const sinkPort = await freePort()
  await work.serve([process.execPath, distFile('bench/telemetry/sink.js'), `${sinkPort}`], LOAD_CORE, sinkPort)
  const subjects: Subject[] = []
  for (const [label, additions] of Object.entries(observations(sinkPort))) {
    const subject = await startProxy(work, label, additions, backendPort)
    await costOf(work, subject, WARM_SECONDS)
    subjects.push(subject)
  }
  const { samples } = await interleave(subjects, (subject) => costOf(work, subject, ROUND_SECONDS), ROUNDS)
  const ofNothing = samples.get(NOTHING) ?? []
  for (const { label, adminPort } of subjects) {
    const costs = samples.get(label) ?? []
    const result = results.get(label) ?? { micros: [], ratios: [], proofs: '' }
    result.micros.push(spread(costs).median)
    result.ratios.push(pairedRatio(costs, ofNothing).median)
    result.proofs = await proofs(adminPort)
    results.set(label, result)
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

/** Microseconds of CPU that a request costs under load. */
async function costOf(work: Workplace, { port, process: { pid } }: Subject, seconds: number): Promise<number> {
  const before = cpuSeconds(pid as number)
  const { requests } = await wrk(work, port, { connections: CONNECTIONS, seconds })
  return ((cpuSeconds(pid as number) - before) * 1e6) / requests
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
