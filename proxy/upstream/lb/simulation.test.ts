import { expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { seededRandom } from '../../../lib/random.ts'
import type { BalancingPlan } from '../../plan/balancing-plan.ts'
import { ResponseHead } from '../../stream/message.ts'
import { balancersOf } from './balancer.ts'
import { ANY_HOST } from './choice.ts'
import { alike } from './testing/hosts.ts'

/*
 * Ten servers, each of which does one thing after the other; one of them is ten times slower than the others. Requests arrive
 * by chance. Time stands still but for what happens.
 */

const SEED = 1975
const REQUESTS = 30_000
const SERVERS = 10
const MEAN_SERVICE_MS = 10
const SLOWNESS = 10
/** Of what the nine fast ones can do together. */
const LOAD = 0.5

const SLOW_START = { slowStart: undefined }
const PLANS = {
  'round robin': { kind: 'round_robin', ...SLOW_START },
  'least request': { kind: 'least_request', choices: 2, activeRequestBias: 1, ...SLOW_START },
  'peak EWMA': { kind: 'peak_ewma', decayMs: 10_000 },
} satisfies Record<string, BalancingPlan>

/** The latencies in order. */
function simulate(plan: BalancingPlan): number[] {
  const clock = new ManualClock()
  // Arrivals and work are the same whoever balances.
  const [chance, draws] = [seededRandom(SEED), seededRandom(SEED + 1)]
  const exponential = (mean: number) => -Math.log(1 - chance.next()) * mean
  const hosts = alike(SERVERS)
  const freeAtMs = new Array<number>(SERVERS).fill(0)
  const balancers = balancersOf(plan, { random: draws, clock })
  const balancer = balancers.create()
  balancer.update(hosts)
  const answer = new ResponseHead()
  answer.status = 200
  const latencies: number[] = []
  const meanGapMs = MEAN_SERVICE_MS / (LOAD * (SERVERS - 1))
  for (let i = 0; i < REQUESTS; i++) {
    clock.advance(exponential(meanGapMs))
    const work = exponential(MEAN_SERVICE_MS)
    const host = balancer.pick(ANY_HOST, 0)
    const server = hosts.indexOf(host)
    const startedMs = clock.nowMs()
    const doneMs = Math.max(freeAtMs[server] as number, startedMs) + (server === 0 ? work * SLOWNESS : work)
    freeAtMs[server] = doneMs
    host.activeRequests++
    clock.setTimer(doneMs - startedMs, () => {
      host.activeRequests--
      latencies.push(clock.nowMs() - startedMs)
      balancers.latencies?.onResponse(host, answer, startedMs)
    })
  }
  clock.advance(1e9)
  return latencies.sort((a, b) => a - b)
}

test(`one slow server of ${SERVERS}, seed ${SEED}: least request beats round robin, and Peak EWMA both`, () => {
  const quantile = (sorted: number[], q: number) => sorted[Math.floor(sorted.length * q)] as number
  const found = Object.entries(PLANS).map(([name, plan]) => {
    const latencies = simulate(plan)
    expect(latencies).toHaveLength(REQUESTS)
    return { name, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), p999: quantile(latencies, 0.999) }
  })
  for (const { name, p50, p99, p999 } of found) {
    process.stderr.write(`${name}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, p99.9 ${p999.toFixed(1)} ms\n`)
  }
  const [roundRobin, leastRequest, peakEwma] = found
  expect(leastRequest!.p99).toBeLessThan(roundRobin!.p99 / 2)
  expect(peakEwma!.p99).toBeLessThan(leastRequest!.p99 / 1.5)
})
