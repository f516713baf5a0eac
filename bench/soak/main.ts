import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findPeer } from '../../test/peers/peers.ts'
import { forwardingBootstrap } from '../../test/support/static-resources.ts'
import { spread } from '../data-path/statistics.ts'
import { listening, residentMib, start, stop } from '../process.ts'

/*
 * Full load for minutes, HTTP/1.1 and HTTP/2 together, and new connections all the while: memory must not grow.
 */

const UPSTREAM_PORT = 18240
const PROXY_PORT = 18241
const SECONDS = Number(process.env.LATEEN_SOAK_SECONDS || 300)
const SAMPLE_MS = 2_000
/** What the last fifth may be over the second fifth of the run. */
const ALLOWED_GROWTH = 1.1

export async function benchSoak(): Promise<void> {
  const [nginx, wrk, h2load] = (['nginx', 'wrk', 'h2load'] as const).map(findPeer)
  if (nginx === undefined || wrk === undefined || h2load === undefined) {
    throw new Error('nginx, wrk and h2load are needed; run: npm run peers')
  }
  const dir = mkdtempSync(join(tmpdir(), 'lateen-soak-'))
  const children: ChildProcess[] = []
  try {
    writeFileSync(join(dir, 'upstream.conf'), upstreamConfig(dir))
    children.push(start(nginx, ['-e', 'stderr', '-c', join(dir, 'upstream.conf')], 1))
    const ports = { port: PROXY_PORT, upstreamPort: UPSTREAM_PORT }
    writeFileSync(join(dir, 'proxy.yaml'), forwardingBootstrap({ host: '127.0.0.1', ...ports, limit: 8192 }))
    const cli = join(dirname(fileURLToPath(import.meta.url)), '../cli/main.js')
    const proxy = spawn(process.execPath, [cli, 'proxy', '-c', join(dir, 'proxy.yaml'), '--workers', '2'], {
      stdio: 'inherit',
    })
    children.push(proxy)
    await listening(PROXY_PORT)
    const url = `http://127.0.0.1:${PROXY_PORT}/`
    const load = [
      again(wrk, ['-t1', '-c64', '-d10s', url]),
      again(wrk, ['-t1', '-c16', '-d10s', '-H', 'Connection: close', url]),
      again(h2load, ['-D', '10', '-c', '8', '-m', '10', url]),
    ]
    const samples = await sample(proxy.pid as number)
    const failed = (await Promise.all(load.map((one) => one.stop()))).flat()
    report(samples, failed)
  } finally {
    await Promise.all(children.map(stop))
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Runs a load tool again and again until it is told to stop; tells what it said of failures. */
function again(command: string, args: readonly string[]): { stop(): Promise<string[]> } {
  let isOver = false
  const failures: string[] = []
  const run = async () => {
    while (!isOver) {
      const child = spawn('taskset', ['-c', '1', command, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
      let out = ''
      child.stdout.on('data', (chunk) => {
        out += chunk
      })
      await new Promise((resolve) => child.once('exit', resolve))
      const wrong = /Non-2xx.*: \d+|Socket errors.*|requests:.* [1-9]\d* failed.*/.exec(out)?.[0]
      if (wrong !== undefined) failures.push(wrong)
    }
    return failures
  }
  const done = run()
  return {
    stop: () => {
      isOver = true
      return done
    },
  }
}

async function sample(pid: number): Promise<number[]> {
  const samples: number[] = []
  const endMs = performance.now() + SECONDS * 1000
  while (performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
    samples.push(residentMib(pid))
  }
  return samples
}

function report(samples: readonly number[], failures: readonly string[]): void {
  const fifth = (n: number) => spread(samples.slice((samples.length * n) / 5, (samples.length * (n + 1)) / 5)).median
  const fifths = [0, 1, 2, 3, 4].map(fifth)
  const growth = (fifths[4] as number) / (fifths[1] as number)
  process.stdout.write(
    `two workers at full load for ${SECONDS} s; resident MiB, medians of each fifth of the time: ` +
      `${fifths.map((mib) => mib.toFixed(0)).join(', ')}; last over second: ${growth.toFixed(2)}\n`,
  )
  if (failures.length > 0) throw new Error(`requests failed: ${failures.join('; ')}`)
  if (growth > ALLOWED_GROWTH) throw new Error(`memory grew by ${((growth - 1) * 100).toFixed(0)} %`)
}

const upstreamConfig = (dir: string) => `
worker_processes 1; daemon off; pid ${dir}/upstream.pid; error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;
  server { listen 127.0.0.1:${UPSTREAM_PORT} backlog=4096; location / { default_type text/plain; return 200 "${'x'.repeat(256)}"; } }
}
`
