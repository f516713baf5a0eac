import { describe, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { seededRandom } from '../../../lib/random.ts'
import { HashValue, xxHash64OfLatin1 } from '../../../lib/xxhash64.ts'
import type { BalancingPlan } from '../../plan/balancing-plan.ts'
import { balancersOf } from './balancer.ts'
import { ANY_HOST } from './choice.ts'
import { MaglevTable } from './hashing/maglev.ts'
import { Ring } from './hashing/ring.ts'
import { chiSquare, countPicks, hostsOf, limitOf } from './testing/hosts.ts'

/*
 * Every algorithm gives each host its share. The seeds are fixed, so each of these passes always or never; a share that is wrong by
 * a twentieth fails.
 */

const SEED = 417
const PICKS = 100_000
const HASHING = { usesHostname: false, balanceFactor: 0 }
const NONE = { activeRequestBias: 1, slowStart: undefined }
const EVEN = [1, 1, 1, 1, 1]
const UNEVEN = [1, 2, 3, 4, 10]

const WEIGHING: readonly [string, BalancingPlan][] = [
  ['round robin', { kind: 'round_robin', slowStart: undefined }],
  ['least request', { kind: 'least_request', choices: 2, ...NONE }],
]
/** With nothing under way, and no weights. */
const EVENLY: readonly [string, BalancingPlan][] = [
  ...WEIGHING,
  ['least request of three', { kind: 'least_request', choices: 3, ...NONE }],
  ['least request of all', { kind: 'least_request', choices: 0, ...NONE }],
  ['random', { kind: 'random' }],
  ['peak EWMA', { kind: 'peak_ewma', decayMs: 10_000 }],
  ['maglev', { kind: 'maglev', tableSize: 65537, ...HASHING }],
]

function picksOf(plan: BalancingPlan, weights: readonly number[], picks = PICKS): number[] {
  const balancer = balancersOf(plan, { random: seededRandom(SEED), clock: new ManualClock() }).create()
  const hosts = hostsOf(weights)
  balancer.update(hosts)
  return countPicks(hosts, picks, () => balancer.pick(ANY_HOST, 0))
}

describe('equal weights', () => {
  test.each(EVENLY)('%s', (_, plan) => {
    expect(chiSquare(picksOf(plan, EVEN), EVEN)).toBeLessThan(limitOf(EVEN))
  })
})

describe('unequal weights', () => {
  test.each(WEIGHING)('%s', (_, plan) => {
    expect(chiSquare(picksOf(plan, UNEVEN), UNEVEN)).toBeLessThan(limitOf(UNEVEN))
  })

  test('random passes over them, as Envoy does', () => {
    expect(chiSquare(picksOf({ kind: 'random' }, UNEVEN), EVEN)).toBeLessThan(limitOf(EVEN))
  })

  test('any run of picks is within one of its share by round robin', () => {
    const sum = UNEVEN.reduce((a, b) => a + b, 0)
    for (const runs of [1, 2, 7]) {
      picksOf({ kind: 'round_robin', slowStart: undefined }, UNEVEN, sum * runs).forEach((count, i) => {
        expect(Math.abs(count - runs * (UNEVEN[i] as number))).toBeLessThanOrEqual(1)
      })
    }
  })

  test('Maglev gives places by weight, and keys fall on them evenly', () => {
    const keys = UNEVEN.map((_, i) => Buffer.from(`10.0.0.1:${1000 + i}`))
    const table = new MaglevTable(keys, sharesOf(UNEVEN), 65537)
    const places = table.counts(keys.length)
    places.forEach((count, i) => {
      expect(Math.abs(count - (65537 * (UNEVEN[i] as number)) / 20)).toBeLessThan(5)
    })
    const counts = picksOf({ kind: 'maglev', tableSize: 65537, ...HASHING }, UNEVEN)
    expect(chiSquare(counts, places)).toBeLessThan(limitOf(UNEVEN))
  })
})

test.each([
  ['equal', EVEN],
  ['unequal', UNEVEN],
])('ring hash, %s weights: points by weight, and each host gets what lies before its points', (_, weights) => {
  const keys = weights.map((_, i) => Buffer.from(`10.0.0.1:${1000 + i}`))
  const shares = sharesOf(weights)
  const ring = new Ring(keys, shares, 1024, 8 * 1024 * 1024)
  const least = Math.min(...shares)
  expect(ring.size).toBe(Math.ceil(Math.ceil(least * 1024) / least))
  const arcs = arcsOf(keys, shares, ring.size)
  const counts = picksOf({ kind: 'ring_hash', minSize: 1024, maxSize: 8 * 1024 * 1024, ...HASHING }, weights)
  expect(chiSquare(counts, arcs)).toBeLessThan(limitOf(weights))
  // With 52 points or more each, a part is near its weight.
  const sum = weights.reduce((a, b) => a + b, 0)
  counts.forEach((count, i) => {
    const share = ((weights[i] as number) / sum) * PICKS
    expect(Math.abs(count - share) / share).toBeLessThan(0.4)
  })
})

function sharesOf(weights: readonly number[]): Float64Array {
  const sum = weights.reduce((a, b) => a + b, 0)
  return Float64Array.from(weights, (weight) => weight / sum)
}

/** What lies before the points of each host, of the whole circle. */
function arcsOf(keys: readonly Buffer[], shares: Float64Array, size: number): number[] {
  const hash = new HashValue()
  const points = keys.flatMap((key, host) =>
    Array.from({ length: Math.round((shares[host] as number) * size) }, (_, i) => {
      xxHash64OfLatin1(`${key}_${i}`, hash)
      return { at: hash.high * 2 ** 32 + hash.low, host }
    }),
  )
  points.sort((a, b) => a.at - b.at)
  const arcs = new Array<number>(keys.length).fill(0)
  let before = (points.at(-1)?.at as number) - 2 ** 64
  for (const { at, host } of points) {
    arcs[host] = (arcs[host] as number) + at - before
    before = at
  }
  return arcs
}
