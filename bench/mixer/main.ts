import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, credentials } from '@grpc/grpc-js'
import { findPeer } from '../../test/peers/peers.ts'
import { cpuSeconds, listening, pinSelf, run, start, stop } from '../process.ts'
import { BENCH_CONFIG } from './config.ts'
import { checkFrame, ENTRIES_PER_MESSAGE, logMessage } from './messages.ts'

/** What one core of the mixer takes: checks as Envoy asks them, and entries of access logs. */

const MIXER_CORE = 0
const LOAD_CORE = 1
const GRPC_PORT = 7811
const HTTP_PORT = 7812
const PAGES = `http://127.0.0.1:${HTTP_PORT}`
const ROUNDS = 3
const CHECKS = 40_000
const MESSAGES = 1_500
/** Messages on their way at once, so that the loader does not outrun the mixer. */
const AHEAD = 32
const main = join(dirname(fileURLToPath(import.meta.url)), '../cli/main.js')

interface Figure {
  readonly perSecond: number
  readonly cpuMicros: number
}

export async function benchMixer(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-bench-mixer-'))
  writeFileSync(join(dir, 'config.yaml'), BENCH_CONFIG)
  writeFileSync(join(dir, 'check.bin'), checkFrame())
  const args = [main, 'mixer', '--config', dir, '--grpc-address', `127.0.0.1:${GRPC_PORT}`]
  const mixer = start(process.execPath, [...args, '--http-address', `127.0.0.1:${HTTP_PORT}`], MIXER_CORE)
  pinSelf(LOAD_CORE)
  try {
    await listening(GRPC_PORT)
    await listening(HTTP_PORT)
    await takesAll()
    const pid = mixer.pid as number
    const h2load = findPeer('h2load')
    if (h2load === undefined) process.stdout.write('checks: h2load is not installed (npm run peers)\n')
    else await show('checks', () => measure(pid, CHECKS, () => loadChecks(h2load, join(dir, 'check.bin'))))
    await show('report entries', () => measure(pid, MESSAGES * ENTRIES_PER_MESSAGE, loadReports))
    await countsAll((ROUNDS + 1) * MESSAGES * ENTRIES_PER_MESSAGE)
  } finally {
    await stop(mixer)
    rmSync(dir, { recursive: true, force: true })
  }
}

/** A rule that was refused would cost nothing. */
async function takesAll(): Promise<void> {
  const config = (await (await fetch(`${PAGES}/debug/config`)).json()) as { findings: readonly object[] }
  if (config.findings.length > 0) throw new Error(JSON.stringify(config.findings))
}

/** What was told must be in the metrics. */
async function countsAll(entries: number): Promise<void> {
  const text = await (await fetch(`${PAGES}/metrics`)).text()
  const counted = [...text.matchAll(/^istio_requests_total\{.*\} (\d+)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0)
  if (counted !== entries) throw new Error(`${counted} of ${entries} entries are counted`)
}

/** One round warms up; of the others the median counts. */
async function show(what: string, round: () => Promise<Figure>): Promise<void> {
  await round()
  const figures: Figure[] = []
  for (let i = 0; i < ROUNDS; i++) figures.push(await round())
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] as number
  const perSecond = median(figures.map((figure) => figure.perSecond))
  const micros = median(figures.map((figure) => figure.cpuMicros))
  const core = Math.round(1e6 / micros)
  process.stdout.write(
    `${what}: ${Math.round(perSecond)}/s, ${micros.toFixed(1)} us of CPU each: ${core}/s of a core\n`,
  )
}

async function measure(pid: number, count: number, load: () => Promise<void>): Promise<Figure> {
  const before = cpuSeconds(pid)
  const began = process.hrtime.bigint()
  await load()
  const seconds = Number(process.hrtime.bigint() - began) / 1e9
  return { perSecond: count / seconds, cpuMicros: ((cpuSeconds(pid) - before) / count) * 1e6 }
}

async function loadChecks(h2load: string, file: string): Promise<void> {
  const url = `http://127.0.0.1:${GRPC_PORT}/envoy.service.auth.v3.Authorization/Check`
  const fields = ['-H', 'content-type: application/grpc', '-H', 'te: trailers']
  const { output } = run(h2load, ['-n', String(CHECKS), '-c', '4', '-m', '16', '-d', file, ...fields, url], LOAD_CORE)
  const text = await output
  if (!text.includes(`${CHECKS} succeeded`)) throw new Error(text)
}

/** Written as they are: the messages are made once. */
function loadReports(): Promise<void> {
  const client = new Client(`127.0.0.1:${GRPC_PORT}`, credentials.createInsecure())
  const [first, others] = [logMessage(true), logMessage(false)]
  return new Promise<void>((resolve, reject) => {
    const stream = client.makeClientStreamRequest(
      '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs',
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      (error) => (error === null ? resolve() : reject(error)),
    )
    let sent = 0
    let under = 0
    const more = () => {
      while (sent < MESSAGES && under < AHEAD) {
        under++
        stream.write(sent++ === 0 ? first : others, () => {
          under--
          more()
        })
      }
      if (sent === MESSAGES && under === 0) stream.end()
    }
    more()
  }).finally(() => client.close())
}
