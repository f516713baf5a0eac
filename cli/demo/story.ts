import { systemClock } from '../../lib/clock.ts'
import { CliError, EXIT } from '../exit.ts'
import type { BookinfoMesh } from './bookinfo-mesh.ts'
import { callsSeenBy } from './calls-seen.ts'
import { NAMESPACE } from './config-text.ts'
import { fetchText, pause, waitUntil } from './http.ts'
import { Load } from './load.ts'
import { RELEASE, type Step } from './release.ts'
import { latenciesMs, type MeasuredShare, measure, quantile, type Sample } from './statistics.ts'
import { takeEffect } from './take-effect.ts'

export const RATE_PER_S = 200
export const TEST_USER = 'jason'
const TEST_USER_EVERY = 10
const PATH = '/api/v1/products/0/reviews'
/** Just-started processes answer slowly at first; failures count even then. */
const WARM_UP_MS = 1000
/** Between the acceptance of a change and the first request that is counted for it. */
const MARGIN_MS = 100
const ANSWER_WITHIN_MS = 4000

/** What one step came to. */
export interface StepResult {
  readonly step: Step
  /** Milliseconds from the file's write until productpage's sidecar had accepted it; undefined when none was written. */
  readonly effectMs: number | undefined
  readonly shares: readonly MeasuredShare[]
  /** All of the step, from its write on. */
  readonly requests: number
  readonly failures: readonly string[]
  /** For how long the load was put off, because the machine did not bear its rate. */
  readonly putOffMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Milliseconds from the file's write until the last answer of the version that was left. */
  readonly lastAnswerMs: number | undefined
  /** Calls that the sidecar of the dark workload counted itself. */
  readonly darkCalls: number | undefined
  readonly hasPassed: boolean
}

export interface StoryEvents {
  /** Before a step, with the text that it writes. */
  onStep(step: Step, number: number): void
  onWritten(step: Step, text: string): void
  onResult(result: StepResult): void
}

/** The release on live load. Resolves to every step's result. */
export async function tellStory(mesh: BookinfoMesh, events: StoryEvents): Promise<StepResult[]> {
  const load = new Load({
    clock: systemClock,
    target: mesh.gateway,
    path: PATH,
    ratePerS: RATE_PER_S,
    testUserCookie: await signIn(mesh),
    testUserEvery: TEST_USER_EVERY,
  })
  const results: StepResult[] = []
  mesh.stopped.addEventListener('abort', () => load.close())
  try {
    load.start()
    let fromMs = systemClock.nowMs()
    await pause(WARM_UP_MS)
    for (const [i, step] of RELEASE.entries()) {
      events.onStep(step, i + 1)
      const taken = await takeStep(mesh, load, step, fromMs, events)
      fromMs = taken.toMs
      results.push(taken.result)
      events.onResult(taken.result)
    }
    return results
  } finally {
    load.close()
  }
}

async function takeStep(mesh: BookinfoMesh, load: Load, step: Step, fromMs: number, events: StoryEvents) {
  const writtenMs = systemClock.nowMs()
  const putOffBeforeMs = load.putOffMs
  events.onWritten(step, await step.change(mesh))
  let effectMs: number | undefined
  if (step.file !== '') {
    effectMs = await takeEffect(mesh.layout.pilot, `${mesh.layout.productpage.name}.${NAMESPACE}`, writtenMs)
    await pause(MARGIN_MS)
  }
  const countedFromMs = systemClock.nowMs()
  await pause(step.measureMs)
  const toMs = systemClock.nowMs()
  await waitUntil(() => load.hasEndedBefore(toMs), toMs + ANSWER_WITHIN_MS)
  const all = load.samples.filter((sample) => sample.sentMs >= fromMs && sample.sentMs < toMs)
  const counted = all.filter((sample) => sample.sentMs >= countedFromMs)
  const shares = measure(step.shares, counted)
  const failures = all.filter((sample) => sample.error !== '').map((sample) => sample.error)
  const latencies = latenciesMs(counted)
  const darkCalls = step.isDark ? await callsSeenBy(mesh.layout.reviewsV2) : undefined
  const result: StepResult = {
    step,
    effectMs,
    shares,
    requests: all.length,
    failures,
    putOffMs: load.putOffMs - putOffBeforeMs,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    lastAnswerMs: step.leaves === undefined ? undefined : lastAnswer(load.samples, step.leaves) - writtenMs,
    darkCalls,
    hasPassed: failures.length === 0 && shares.every((share) => share.isWithin) && (darkCalls ?? 0) === 0,
  }
  return { result, toMs }
}

function lastAnswer(samples: readonly Sample[], version: string): number {
  return Math.max(...samples.filter((sample) => sample.version === version).map((sample) => sample.doneMs))
}

/** The test user signs in at the page, as in a browser: the app turns the session into the header that routes see. */
async function signIn(mesh: BookinfoMesh): Promise<string> {
  const { status, headers } = await fetchText(mesh.gateway, '/login', 'POST', `username=${TEST_USER}`)
  const cookie = headers['set-cookie']?.[0]?.split(';')[0]
  if (cookie === undefined) throw new CliError(`${TEST_USER} could not sign in: status ${status}`, EXIT.internal)
  return cookie
}
