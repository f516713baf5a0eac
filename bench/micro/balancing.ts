import { systemClock } from '../../lib/clock.ts'
import { seededRandom } from '../../lib/random.ts'
import { HashValue, xxHash64OfLatin1 } from '../../lib/xxhash64.ts'
import type { BalancingPlan } from '../../proxy/plan/balancing-plan.ts'
import { plainEndpoint } from '../../proxy/plan/plain-endpoint.ts'
import { ResponseHead } from '../../proxy/stream/message.ts'
import { Host } from '../../proxy/upstream/host.ts'
import { balancersOf } from '../../proxy/upstream/lb/balancer.ts'

/*
 * Nanoseconds to pick one of 10 and of 1,000 hosts by each algorithm, every pick under way until 64 more were made; and
 * milliseconds to take over a changed set of 1,000 hosts, the first pick after it included.
 *
 *   npm run build && node dist/bench/micro/balancing.js
 */

const ROUNDS = 7
const PICKS = 200_000
const UNDER_WAY = 64
const HASHING = { usesHostname: false, balanceFactor: 0 }
const REQUESTS = { activeRequestBias: 1, slowStart: undefined }

const PLANS: readonly [string, BalancingPlan, weighted: boolean][] = [
  ['round robin', { kind: 'round_robin', slowStart: undefined }, false],
  ['round robin, weights', { kind: 'round_robin', slowStart: undefined }, true],
  ['random', { kind: 'random' }, false],
  ['least request', { kind: 'least_request', choices: 2, ...REQUESTS }, false],
  ['least request, weights', { kind: 'least_request', choices: 2, ...REQUESTS }, true],
  ['least request of all', { kind: 'least_request', choices: 0, ...REQUESTS }, false],
  ['peak EWMA', { kind: 'peak_ewma', decayMs: 10_000 }, false],
  ['ring hash', { kind: 'ring_hash', minSize: 1024, maxSize: 1 << 23, ...HASHING }, false],
  ['ring hash, weights', { kind: 'ring_hash', minSize: 1024, maxSize: 1 << 23, ...HASHING }, true],
  ['maglev', { kind: 'maglev', tableSize: 65537, ...HASHING }, false],
  ['maglev, weights', { kind: 'maglev', tableSize: 65537, ...HASHING }, true],
  ['maglev, bounded', { kind: 'maglev', tableSize: 65537, ...HASHING, balanceFactor: 150 }, false],
]

function hostsOf(count: number, weighted: boolean): Host[] {
  return Array.from(
    { length: count },
    (_, i) => new Host({ ...plainEndpoint(`10.0.${i >> 8}.${i & 255}`, 8080), weight: weighted ? 1 + (i % 10) : 1 }),
  )
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number
}

const HASHES = Array.from({ length: 1024 }, (_, i) => {
  const hash = new HashValue()
  xxHash64OfLatin1(`user-${i}`, hash)
  return hash
})

function nsPerPick(plan: BalancingPlan, count: number, weighted: boolean): number {
  const { create, latencies } = balancersOf(plan, { random: seededRandom(1), clock: systemClock })
  const balancer = create()
  balancer.update(hostsOf(count, weighted))
  const choice = { hash: HASHES[0], avoid: undefined, draws: 0 }
  const busy = new Array<Host | undefined>(UNDER_WAY).fill(undefined)
  const answer = new ResponseHead()
  answer.status = 200
  const run = () => {
    const startedMs = performance.now()
    for (let i = 0; i < PICKS; i++) {
      choice.hash = HASHES[i & 1023]
      const host = balancer.pick(choice, 0)
      host.activeRequests++
      const at = i % UNDER_WAY
      const done = busy[at]
      if (done !== undefined) done.activeRequests--
      busy[at] = host
      latencies?.onResponse(host, answer, latencies.nowMs() - 5)
    }
    return ((performance.now() - startedMs) * 1e6) / PICKS
  }
  run()
  return median(Array.from({ length: ROUNDS }, run))
}

/** As when one host of many leaves and another comes. */
function msPerUpdate(plan: BalancingPlan, weighted: boolean): number {
  const all = hostsOf(1000 + ROUNDS + 1, weighted)
  const balancer = balancersOf(plan, { random: seededRandom(1), clock: systemClock }).create()
  const times: number[] = []
  for (let i = 0; i <= ROUNDS; i++) {
    const startedMs = performance.now()
    balancer.update(all.slice(i, 1000 + i))
    balancer.pick({ hash: HASHES[0], avoid: undefined, draws: 0 }, 0)
    if (i > 0) times.push(performance.now() - startedMs)
  }
  return median(times)
}

/** As when the health of a host that does not serve changes: the set that is balanced over stays. */
function msPerSameUpdate(plan: BalancingPlan, weighted: boolean): number {
  const hosts = hostsOf(1000, weighted)
  const balancer = balancersOf(plan, { random: seededRandom(1), clock: systemClock }).create()
  const times: number[] = []
  for (let i = 0; i <= ROUNDS; i++) {
    const startedMs = performance.now()
    balancer.update([...hosts])
    balancer.pick({ hash: HASHES[0], avoid: undefined, draws: 0 }, 0)
    if (i > 0) times.push(performance.now() - startedMs)
  }
  return median(times)
}

function nsPerHash(bytes: number): number {
  const text = 'k'.repeat(bytes)
  const hash = new HashValue()
  const run = () => {
    const startedMs = performance.now()
    for (let i = 0; i < PICKS; i++) xxHash64OfLatin1(text, hash)
    return ((performance.now() - startedMs) * 1e6) / PICKS
  }
  run()
  return median(Array.from({ length: ROUNDS }, run))
}

const say = (text: string) => process.stdout.write(`${text}\n`)
say('| algorithm | ns per pick of 10 | of 1,000 | ms to take 1,000 hosts over | the same again |')
say('| --- | --- | --- | --- | --- |')
for (const [name, plan, weighted] of PLANS) {
  const [few, many] = [nsPerPick(plan, 10, weighted), nsPerPick(plan, 1000, weighted)]
  const [taken, same] = [msPerUpdate(plan, weighted), msPerSameUpdate(plan, weighted)]
  say(`| ${name} | ${few.toFixed(0)} | ${many.toFixed(0)} | ${taken.toFixed(2)} | ${same.toFixed(2)} |`)
}
for (const bytes of [8, 16, 36, 100]) say(`xxHash64 of ${bytes} bytes: ${nsPerHash(bytes).toFixed(0)} ns`)
