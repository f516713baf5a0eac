import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatTable } from '../../cli/output/table.ts'
import { findPeer } from '../../test/peers/peers.ts'
import { cpuSeconds, listening, residentMib, run, start, stop } from '../process.ts'
import { envoyConfig, haproxyConfig, nginxConfig, PORTS, upstreamConfig } from './configs.ts'

/*
 * Plain HTTP/1.1 through each proxy in turn, one core for the proxy and the other for the load and the upstream.
 * What counts is CPU time per request: it does not depend on how busy the machine is, and wall throughput does.
 */

type Subject = keyof typeof PORTS
const SUBJECTS: readonly Subject[] = ['nginx', 'haproxy', 'envoy', 'lateen']
const PROXY_CORE = 0
const LOAD_CORE = 1
const CONNECTIONS = 64
const ROUNDS = 5
const SECONDS_PER_ROUND = 4

interface Sample {
  cpuUs: number
  requestsPerSecond: number
  p50Ms: number
  p99Ms: number
  errors: number
}

export async function benchProxy(): Promise<void> {
  const wrk = findPeer('wrk')
  const nginx = findPeer('nginx')
  if (wrk === undefined || nginx === undefined) throw new Error('wrk and nginx are needed; run: npm run peers')
  const dir = mkdtempSync(join(tmpdir(), 'lateen-bench-'))
  const children: ChildProcess[] = []
  try {
    writeFileSync(join(dir, 'upstream.conf'), upstreamConfig(dir))
    children.push(start(nginx, ['-e', 'stderr', '-c', join(dir, 'upstream.conf')], LOAD_CORE))
    const running = new Map<Subject, ChildProcess>()
    for (const subject of SUBJECTS) {
      const command = commandOf(subject, dir)
      if (command === undefined) {
        process.stdout.write(`skipped: ${subject} is not installed\n`)
        continue
      }
      const child = start(command[0] as string, command.slice(1), PROXY_CORE)
      children.push(child)
      running.set(subject, child)
      await listening(PORTS[subject])
    }
    const samples = new Map<Subject, Sample[]>([...running.keys()].map((subject) => [subject, []]))
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [subject, child] of running) {
        const sample = measure(wrk, subject, child)
        // The first round warms up.
        if (round > 0) samples.get(subject)?.push(sample)
      }
    }
    report(samples, running)
  } finally {
    await Promise.all(children.map(stop))
    rmSync(dir, { recursive: true, force: true })
  }
}

function commandOf(subject: Subject, dir: string): string[] | undefined {
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text)
    return join(dir, name)
  }
  if (subject === 'lateen') {
    const cli = join(dirname(fileURLToPath(import.meta.url)), '../cli/main.js')
    return [process.execPath, cli, 'proxy', '-c', file('lateen.yaml', envoyConfig(PORTS.lateen))]
  }
  const peer = findPeer(subject)
  if (peer === undefined) return undefined
  if (subject === 'nginx') return [peer, '-e', 'stderr', '-c', file('nginx.conf', nginxConfig(dir))]
  if (subject === 'haproxy') return [peer, '-db', '-f', file('haproxy.cfg', haproxyConfig())]
  const config = file('envoy.yaml', envoyConfig(PORTS.envoy))
  return [peer, '-c', config, '--concurrency', '1', '--log-level', 'error', '--use-dynamic-base-id']
}

function measure(wrk: string, subject: Subject, child: ChildProcess): Sample {
  const pid = child.pid as number
  const before = cpuSeconds(pid)
  const url = `http://127.0.0.1:${PORTS[subject]}/`
  const out = run(wrk, ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS_PER_ROUND}s`, '--latency', url], LOAD_CORE)
  const cpu = cpuSeconds(pid) - before
  const requests = Number(/(\d+) requests in/.exec(out)?.[1] ?? 0)
  return {
    cpuUs: (cpu * 1e6) / requests,
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1] ?? 0),
    p50Ms: latencyMs(/50%\s+([\d.]+)(us|ms|s)/.exec(out)),
    p99Ms: latencyMs(/99%\s+([\d.]+)(us|ms|s)/.exec(out)),
    errors: Number(/Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1] ?? 0),
  }
}

function latencyMs(found: RegExpExecArray | null): number {
  if (found === null) return Number.NaN
  const unit = { us: 0.001, ms: 1, s: 1000 }[found[2] as 'us' | 'ms' | 's']
  return Number(found[1]) * unit
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function report(samples: ReadonlyMap<Subject, Sample[]>, running: ReadonlyMap<Subject, ChildProcess>): void {
  const rows = [...samples].map(([subject, all]) => ({
    subject,
    cpuUs: median(all.map((s) => s.cpuUs)),
    low: Math.min(...all.map((s) => s.cpuUs)),
    high: Math.max(...all.map((s) => s.cpuUs)),
    requestsPerSecond: median(all.map((s) => s.requestsPerSecond)),
    p50Ms: median(all.map((s) => s.p50Ms)),
    p99Ms: median(all.map((s) => s.p99Ms)),
    errors: all.reduce((sum, s) => sum + s.errors, 0),
    mib: residentMib(running.get(subject)?.pid as number),
  }))
  const envoyUs = rows.find((row) => row.subject === 'envoy')?.cpuUs ?? Number.NaN
  process.stdout.write(
    `HTTP/1.1, 256-byte answers, ${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS_PER_ROUND} s, medians\n` +
      `node ${process.version}, ${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores\n\n`,
  )
  process.stdout.write(
    formatTable(
      [
        { header: 'proxy', value: (r) => r.subject },
        { header: 'cpu us/request', value: (r) => r.cpuUs.toFixed(1), alignRight: true },
        { header: 'min..max', value: (r) => `${r.low.toFixed(1)}..${r.high.toFixed(1)}`, alignRight: true },
        { header: 'of envoy', value: (r) => (r.cpuUs / envoyUs).toFixed(2), alignRight: true },
        { header: 'requests/s', value: (r) => r.requestsPerSecond.toFixed(0), alignRight: true },
        { header: 'p50 ms', value: (r) => r.p50Ms.toFixed(2), alignRight: true },
        { header: 'p99 ms', value: (r) => r.p99Ms.toFixed(2), alignRight: true },
        { header: 'not 2xx', value: (r) => String(r.errors), alignRight: true },
        { header: 'rss MiB', value: (r) => r.mib.toFixed(0), alignRight: true },
      ],
      rows,
    ),
  )
}
