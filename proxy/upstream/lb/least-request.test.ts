import { expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { seededRandom } from '../../../lib/random.ts'
import { LeastRequestBalancer } from './least-request.ts'
import { alike, chiSquare, countPicks, hostsOf, limitOf } from './testing/hosts.ts'

const PLAN = { kind: 'least_request', choices: 2, activeRequestBias: 1, slowStart: undefined } as const

function balancerOf(plan: Partial<typeof PLAN> | { choices: number } | { activeRequestBias: number }) {
  return new LeastRequestBalancer({ random: seededRandom(5), clock: new ManualClock() }, { ...PLAN, ...plan })
}

test('of two drawn with replacement the busier one loses', () => {
  const hosts = alike(3)
  hosts[0]!.activeRequests = 5
  const balancer = balancerOf({})
  balancer.update(hosts)
  // It is taken only where it is drawn twice: one time in nine.
  const counts = countPicks(hosts, 90_000, () => balancer.pick())
  expect(chiSquare(counts, [1, 4, 4])).toBeLessThan(limitOf(hosts))
})

test('of all the least busy ones have the same chance', () => {
  const hosts = alike(6)
  hosts[0]!.activeRequests = 1
  hosts[3]!.activeRequests = 2
  const balancer = balancerOf({ choices: 0 })
  balancer.update(hosts)
  const counts = countPicks(hosts, 90_000, () => balancer.pick())
  expect([counts[0], counts[3]]).toEqual([0, 0])
  const others = counts.filter((count) => count > 0)
  expect(chiSquare(others, [1, 1, 1, 1])).toBeLessThan(limitOf(others))
})

test.each([
  [1, [1, 4]],
  [2, [1, 16]],
  [0.5, [1, 2]],
  [0, [1, 1]],
])('with a bias of %f weights are divided by requests under way', (activeRequestBias, shares) => {
  const hosts = hostsOf([2, 4])
  hosts[0]!.activeRequests = 3
  const balancer = balancerOf({ activeRequestBias })
  balancer.update(hosts)
  const counts = countPicks(hosts, 34_000, () => balancer.pick())
  const expected = shares.map((share, i) => share * (i + 1))
  expect(chiSquare(counts, expected)).toBeLessThan(1)
})
