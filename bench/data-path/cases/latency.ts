import { startBackend } from '../backend/nginx.ts'
import type { Case } from '../case.ts'
import { distFile } from '../dist.ts'
import type { OpenLoopReport } from '../load/open-loop.ts'
import { wrk } from '../load/wrk.ts'
import type { Measure, Outcome, Sample } from '../outcome.ts'
import { probeHttp1 } from '../probe.ts'
import { interleave } from '../rounds.ts'
import { ROUNDS, SECONDS } from '../settings.ts'
import { spread } from '../statistics.ts'
import { contenders, startSubject } from '../subjects.ts'
import type { Workplace } from '../workplace.ts'
import { ALL_ENGINES, PLAIN, SMALL_BYTES } from './shapes.ts'

const CONNECTIONS = 16
const REQUESTS_PER_SECOND = 1000
/** Of each, in a round. */
const RUNS = 4

const ABOUT =
  'HTTP/1.1, 16 connections, 1,000 requests/s at fixed times: the 99th percentile, less that of the backend alone'

const MEASURE: Measure = {
  title: ABOUT,
  unit: 'added p99 ms',
  digits: 3,
  better: 'lower',
  reference: 'envoy',
  held: 'lateen',
  must: { of: 'envoy', times: 1 },
  reach: { of: 'envoy', times: 0.5 },
}

export const latency: Case = { name: 'latency', about: ABOUT, run }

async function run(work: Workplace): Promise<readonly Outcome[]> {
  const backendPort = await startBackend(work, { protocol: 'http1', hasTls: false, bodyBytes: SMALL_BYTES })
  const targets: Target[] = [{ label: 'the backend', port: backendPort }]
  const notes: string[] = []
  for (const contender of contenders(ALL_ENGINES, PLAIN)) {
    const subject = await startSubject(work, contender, backendPort)
    if (subject === undefined) notes.push(`${contender.label} is not here`)
    else targets.push(subject)
  }
  for (const { port } of targets) {
    await probeHttp1(port, { bodyBytes: SMALL_BYTES })
    // V8 compiles during the first hundred thousand requests, and a round that warms up has not that many.
    await wrk(work, port, { connections: CONNECTIONS, seconds: SECONDS })
  }
  // One round of all takes most of a minute, in which the cores may be anywhere: it is not measured again.
  const { samples } = await interleave(
    [{ label: ABOUT }],
    () => openLoop(work, targets),
    ROUNDS,
    async () => 0,
  )
  const rounds = samples.get(ABOUT) as OpenLoopReport[][]
  const late = rounds.flatMap((reports) => reports.map(({ lateP99Ms }) => lateP99Ms))
  const p99Ms = targets.map((_, target) => rounds.map((reports) => (reports[target] as OpenLoopReport).p99Ms))
  const direct = p99Ms[0] as number[]
  const added = targets.map(({ label }, target): [string, Sample[]] => [
    label,
    direct.map((directMs, round) => ({ value: (p99Ms[target]?.[round] as number) - directMs })),
  ])
  notes.push(`the backend alone: ${ms(direct)}; requests left late by ${ms(late)} (p99)`)
  return [{ measure: MEASURE, samples: new Map(added.slice(1)), notes }]
}

interface Target {
  readonly label: string
  readonly port: number
}

/** All of them in turn, RUNS times. */
async function openLoop(work: Workplace, targets: readonly Target[]): Promise<OpenLoopReport[]> {
  const generator = distFile('bench/data-path/load/open-loop.js')
  const ports = targets.map(({ port }) => port)
  const args = [CONNECTIONS, REQUESTS_PER_SECOND, (2 * SECONDS) / RUNS, RUNS, ...ports].map(String)
  return JSON.parse(await work.load(process.execPath, [generator, ...args])) as OpenLoopReport[]
}

function ms(values: readonly number[]): string {
  const { median, low, high } = spread(values)
  return `${median.toFixed(3)} ms (${low.toFixed(3)}..${high.toFixed(3)})`
}
