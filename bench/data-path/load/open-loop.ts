import { Worker } from 'node:worker_threads'
import { quantile } from '../statistics.ts'
import { OpenLoopConnection } from './open-loop-connection.ts'

/*
 * An open-loop load as a process of its own: the times of sending are fixed beforehand, and an answer's latency counts
 * from the time at which its request should have left, so that a proxy that stalls cannot hide it by being asked less
 * (coordinated omission). Prints one line of JSON, an OpenLoopReport.
 *
 *   node open-loop.js PORT CONNECTIONS REQUESTS-PER-SECOND SECONDS
 */

export interface OpenLoopReport {
  readonly requests: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** How late requests left, at the 99th percentile: what of the latencies is the generator's own. */
  readonly lateP99Ms: number
}

/** How long the last answers may take. */
const PATIENCE_MS = 5000
const HEAD_START_MS = 50

const [port = 0, connectionCount = 1, rate = 1, seconds = 1] = process.argv.slice(2).map(Number)
const count = rate * seconds
const intervalMs = 1000 / rate
const latencies = new Float64Array(count)
const lateness = new Float64Array(count)
const request = Buffer.from(`GET / HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`)
const nowMs = () => Number(process.hrtime.bigint()) / 1e6

let opened = 0
let sent = 0
let answered = 0
let startMs = 0

const connections = Array.from(
  { length: connectionCount },
  () => new OpenLoopConnection(port, request, { onOpen, onAnswer, onError: fail }),
)

function onOpen(): void {
  if (++opened < connectionCount) return
  startMs = nowMs() + HEAD_START_MS
  const ticker = new Worker(new URL('./ticker.js', import.meta.url), { workerData: { startMs, intervalMs, count } })
  ticker.on('message', sendDue)
  ticker.on('error', (error) => fail(String(error)))
  setTimeout(() => fail(`${count - answered} requests are not answered`), seconds * 1000 + PATIENCE_MS)
}

function sendDue(): void {
  const now = nowMs()
  while (sent < count) {
    const dueMs = startMs + sent * intervalMs
    if (dueMs > now) return
    lateness[sent] = now - dueMs
    connections[sent % connectionCount]?.send(dueMs)
    sent++
  }
}

function onAnswer(dueMs: number): void {
  latencies[answered++] = nowMs() - dueMs
  if (answered < count) return
  latencies.sort()
  lateness.sort()
  const report: OpenLoopReport = {
    requests: count,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    maxMs: quantile(latencies, 1),
    lateP99Ms: quantile(lateness, 0.99),
  }
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0))
}

function fail(reason: string): void {
  process.stderr.write(`open loop: ${reason}\n`, () => process.exit(1))
}
