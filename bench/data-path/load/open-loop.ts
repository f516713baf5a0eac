import { Worker } from 'node:worker_threads'
import { quantile } from '../statistics.ts'
import { OpenLoopConnection } from './open-loop-connection.ts'

/*
 * An open-loop load as a process of its own: the times of sending are fixed beforehand, and an answer's latency counts
 * from the time at which its request should have left, so that a proxy that stalls cannot hide it by being asked less
 * (coordinated omission). Several ports have their runs in turn, by the one process: a generator that has just started is
 * slower than what it measures, and what the machine does for some seconds touches all alike. Prints one line of JSON, an
 * OpenLoopReport for each port.
 *
 *   node open-loop.js CONNECTIONS REQUESTS-PER-SECOND SECONDS RUNS PORT...
 */

export interface OpenLoopReport {
  /** Of all requests of all runs. */
  readonly p99Ms: number
  /** How late requests left, at the 99th percentile: what of the latencies is the generator's own. */
  readonly lateP99Ms: number
}

/** How long the last answers may take. */
const PATIENCE_MS = 5000
const HEAD_START_MS = 50
/** What others do on the machine shows in how late requests leave: such a run is repeated, and the best of them counts. */
const MAX_LATE_MS = 0.5
const MAX_TRIES = 4

const [connectionCount = 1, rate = 1, seconds = 1, runs = 1, ...ports] = process.argv.slice(2).map(Number)
const count = rate * seconds
const intervalMs = 1000 / rate
const nowMs = () => Number(process.hrtime.bigint()) / 1e6

/** One load of one port: every request answered. */
class Run {
  readonly latencies = new Float64Array(count)
  readonly lateness = new Float64Array(count)
  readonly #connections: readonly OpenLoopConnection[]
  readonly #onEnd: () => void
  #opened = 0
  #startMs = 0
  #sent = 0
  #answered = 0

  constructor(port: number, onEnd: () => void) {
    const request = Buffer.from(`GET / HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`)
    const handlers = {
      onOpen: () => this.#onOpen(),
      onAnswer: (dueMs: number) => this.#onAnswer(dueMs),
      onError: (reason: string) => fail(`port ${port}: ${reason}`),
    }
    this.#onEnd = onEnd
    this.#connections = Array.from({ length: connectionCount }, () => new OpenLoopConnection(port, request, handlers))
  }

  get unanswered(): number {
    return count - this.#answered
  }

  get lateP99Ms(): number {
    return p99([this.lateness])
  }

  #onOpen(): void {
    if (++this.#opened === connectionCount) this.#startMs = nextTickMs(nowMs() + HEAD_START_MS)
  }

  sendDue(): void {
    if (this.#startMs === 0) return
    const now = nowMs()
    while (this.#sent < count) {
      const dueMs = this.#startMs + this.#sent * intervalMs
      if (dueMs > now) return
      this.lateness[this.#sent] = now - dueMs
      this.#connections[this.#sent % connectionCount]?.send(dueMs)
      this.#sent++
    }
  }

  #onAnswer(dueMs: number): void {
    this.latencies[this.#answered++] = nowMs() - dueMs
    if (this.#answered < count) return
    for (const connection of this.#connections) connection.close()
    this.#onEnd()
  }
}

const firstTickMs = nowMs() + HEAD_START_MS
let current: Run | undefined

/** Requests are due when the ticker ticks. */
function nextTickMs(afterMs: number): number {
  return firstTickMs + Math.ceil((afterMs - firstTickMs) / intervalMs) * intervalMs
}

const ticker = new Worker(new URL('./ticker.js', import.meta.url), {
  workerData: { startMs: firstTickMs, intervalMs },
})
ticker.on('message', () => current?.sendDue())
ticker.on('error', (error) => fail(String(error)))

async function load(port: number): Promise<Run> {
  return new Promise((resolve) => {
    const run = new Run(port, () => {
      clearTimeout(deadline)
      resolve(run)
    })
    const deadline = setTimeout(
      () => fail(`port ${port}: ${run.unanswered} requests are not answered`),
      seconds * 1000 + PATIENCE_MS,
    )
    current = run
  })
}

async function quietLoad(port: number): Promise<Run> {
  let best = await load(port)
  for (let tries = 1; tries < MAX_TRIES && best.lateP99Ms > MAX_LATE_MS; tries++) {
    const next = await load(port)
    if (next.lateP99Ms < best.lateP99Ms) best = next
  }
  return best
}

async function measure(): Promise<OpenLoopReport[]> {
  await load(ports[0] as number)
  const runsOf = ports.map((): Run[] => [])
  for (let i = 0; i < runs; i++) {
    for (const [index, port] of ports.entries()) runsOf[index]?.push(await quietLoad(port))
  }
  return runsOf.map((all) => ({
    p99Ms: p99(all.map(({ latencies }) => latencies)),
    lateP99Ms: p99(all.map(({ lateness }) => lateness)),
  }))
}

function p99(values: readonly Float64Array[]): number {
  return quantile(Float64Array.from(values.flatMap((some) => [...some])).sort(), 0.99)
}

const reports = await measure()
process.stdout.write(`${JSON.stringify(reports)}\n`, () => process.exit(0))

function fail(reason: string): void {
  process.stderr.write(`open loop: ${reason}\n`, () => process.exit(1))
}
