import { describe, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { seededRandom } from '../../../lib/random.ts'
import type { BalancingPlan } from '../../plan/balancing-plan.ts'
import { HEALTH_FLAG } from '../health.ts'
import { balancersOf } from './balancer.ts'
import { ANY_HOST } from './choice.ts'
import { SlowStart } from './slow-start.ts'
import { alike, countPicks } from './testing/hosts.ts'

const PLAN = { windowMs: 10_000, aggression: 1, minShare: 0.1 }

describe('the share of a host', () => {
  test.each([
    [0, 1, 0.1],
    [999, 1, 0.1],
    [2500, 1, 0.25],
    [9999, 1, 0.9999],
    [10_000, 1, 1],
    // The square root: it comes up faster at first.
    [2500, 2, 0.5],
  ])('after %i ms with aggression %i is %f', (ageMs, aggression, share) => {
    const clock = new ManualClock()
    const slow = new SlowStart({ ...PLAN, aggression }, clock)
    const hosts = alike(1)
    slow.noteHosts(hosts)
    clock.advance(ageMs)
    expect(slow.shareOf(hosts[0]!)).toBeCloseTo(share, 10)
  })

  test('begins anew when it has become healthy again, and not when others come and go', () => {
    const clock = new ManualClock()
    const slow = new SlowStart(PLAN, clock)
    const hosts = alike(2)
    slow.noteHosts(hosts)
    clock.advance(5000)
    slow.noteHosts(hosts.slice(0, 1))
    slow.noteHosts(hosts)
    expect(hosts.map((host) => slow.shareOf(host))).toEqual([0.5, 0.5])
    hosts[0]!.setHealthFlag(HEALTH_FLAG.failedActiveCheck, true)
    slow.noteHosts(hosts)
    hosts[0]!.setHealthFlag(HEALTH_FLAG.failedActiveCheck, false)
    slow.noteHosts(hosts)
    expect(hosts.map((host) => slow.shareOf(host))).toEqual([0.1, 0.5])
    expect(slow.isUnderWay).toBe(true)
    clock.advance(10_001)
    expect(slow.isUnderWay).toBe(false)
  })
})

describe.each([
  ['round robin', { kind: 'round_robin', slowStart: PLAN }],
  ['least request', { kind: 'least_request', choices: 2, activeRequestBias: 1, slowStart: PLAN }],
] as [string, BalancingPlan][])('%s', (_, plan) => {
  test('gives a host that has just come a part that grows', () => {
    const clock = new ManualClock()
    const balancer = balancersOf(plan, { random: seededRandom(3), clock }).create()
    const hosts = alike(3)
    balancer.update(hosts.slice(0, 2))
    clock.advance(60_000)
    balancer.update(hosts)
    const part = () => countPicks(hosts, 2100, () => balancer.pick(ANY_HOST, 0))[2] as number
    expect(part()).toBeGreaterThan(90)
    expect(part()).toBeLessThan(110)
    clock.advance(5000)
    expect(Math.abs(part() - 420)).toBeLessThan(15)
    clock.advance(5000)
    expect(Math.abs(part() - 700)).toBeLessThan(15)
  })

  test('takes turns again when the set changes after the window', () => {
    const clock = new ManualClock()
    const balancer = balancersOf(plan, { random: seededRandom(3), clock }).create()
    const hosts = alike(3)
    balancer.update(hosts)
    clock.advance(60_000)
    balancer.update(hosts)
    const counts = countPicks(hosts, 300, () => balancer.pick(ANY_HOST, 0))
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThan(40)
  })
})
