import { expect, test } from '@jest/globals'
import { HEALTH_FLAG } from '../health.ts'
import type { Host } from '../host.ts'
import { ANY_HOST } from '../lb/choice.ts'
import { type HostPicker, hashPercent } from './host-sets.ts'
import { PreviousPriorities } from './retry-priority.ts'
import { pickerOf, some } from './testing.ts'

const PICKS = 20_000
const LOCALITIES = { common_lb_config: { locality_weighted_lb_config: {} } }
const NO_PANIC = { common_lb_config: { healthy_panic_threshold: { value: 0 } } }

/** What share of `count` picks each group of hosts got, in per cents; the last is nobody. */
function shares(picker: HostPicker, groups: readonly (readonly Host[])[], count = PICKS): number[] {
  const counts = new Map<readonly Host[] | undefined, number>()
  const groupOf = new Map(groups.flatMap((group) => group.map((host) => [host, group] as const)))
  for (let i = 0; i < count; i++) {
    const host = picker.pick(ANY_HOST)
    const group = host && groupOf.get(host)
    counts.set(group, (counts.get(group) ?? 0) + 1)
  }
  return [...groups, undefined].map((group) => (100 * (counts.get(group) ?? 0)) / count)
}

/** Within 4.5 standard deviations of a share drawn by dice. */
function expectShares(actual: readonly number[], expected: readonly number[], count = PICKS): void {
  for (const [i, share] of expected.entries()) {
    const bound = 4.5 * Math.sqrt((share * (100 - share)) / count)
    expect(Math.abs((actual[i] as number) - share)).toBeLessThanOrEqual(bound)
  }
}

function fail(picker: HostPicker, hosts: readonly Host[], isSet = true): void {
  for (const host of hosts) {
    if (host.setHealthFlag(HEALTH_FLAG.failedOutlierCheck, isSet)) picker.onHealthChange(host)
  }
}

test('one healthy priority is chosen without dice', () => {
  const { picker, hosts, draws } = pickerOf([{ hosts: some(3) }, { priority: 1, hosts: some(3) }])
  picker.pick(ANY_HOST)
  const before = draws()
  expect(shares(picker, hosts, 300)).toEqual([100, 0, 0])
  expect(draws()).toBe(before)
})

test('so it is with locality weights, as long as there is one locality', () => {
  const { picker, draws } = pickerOf([{ zone: 'a', weight: 3, hosts: some(3) }], LOCALITIES)
  picker.pick(ANY_HOST)
  const before = draws()
  for (let i = 0; i < 100; i++) picker.pick(ANY_HOST)
  expect(draws()).toBe(before)
})

test('what fails moves to the next priority in step with its share, and comes back', () => {
  const { picker, hosts } = pickerOf([{ hosts: some(4) }, { priority: 1, hosts: some(4) }])
  const [first] = hosts as [Host[]]
  fail(picker, first.slice(0, 2))
  expectShares(shares(picker, hosts), [70, 30, 0])
  fail(picker, first)
  expect(shares(picker, hosts, 100)).toEqual([0, 100, 0])
  fail(picker, first, false)
  expect(shares(picker, hosts, 100)).toEqual([100, 0, 0])
})

test('a host that has failed is not chosen', () => {
  const { picker, hosts } = pickerOf([{ hosts: some(4) }])
  const [one] = hosts[0] as [Host]
  fail(picker, [one])
  const chosen = new Set(Array.from({ length: 100 }, () => picker.pick(ANY_HOST)))
  expect(chosen.size).toBe(3)
  expect(chosen.has(one)).toBe(false)
})

test('in panic all hosts are chosen, each time counted', () => {
  const { picker, hosts, stats } = pickerOf([
    { hosts: [...some(3, { status: 'UNHEALTHY' }), ...some(1)] },
    { priority: 1, hosts: some(4, { status: 'UNHEALTHY' }) },
  ])
  expectShares(shares(picker, hosts), [50, 50, 0])
  expect(stats.lb_healthy_panic.value).toBe(PICKS)
  const chosen = new Set(Array.from({ length: 500 }, () => picker.pick(ANY_HOST)))
  expect(chosen.size).toBe(8)
})

test('fail_traffic_on_panic chooses nobody, and counts too', () => {
  const { picker, stats } = pickerOf([{ hosts: some(2, { status: 'UNHEALTHY' }) }], {
    common_lb_config: { zone_aware_lb_config: { fail_traffic_on_panic: true } },
  })
  expect(picker.pick(ANY_HOST)).toBeUndefined()
  expect(stats.lb_healthy_panic.value).toBe(1)
})

test('a threshold of 0 switches panic off', () => {
  const { picker, stats } = pickerOf([{ hosts: some(2, { status: 'UNHEALTHY' }) }], NO_PANIC)
  expect(picker.pick(ANY_HOST)).toBeUndefined()
  expect(stats.lb_healthy_panic.value).toBe(0)
})

test('no hosts, no choice', () => {
  expect(pickerOf([]).picker.pick(ANY_HOST)).toBeUndefined()
})

test('degraded hosts get what healthy ones cannot take', () => {
  const { picker, hosts } = pickerOf([{ hosts: some(1) }, { hosts: some(3, { status: 'DEGRADED' }) }])
  expectShares(shares(picker, hosts), [35, 65, 0])
})

test('hosts that are draining are missed by nobody', () => {
  const { picker, hosts } = pickerOf([
    { hosts: [...some(1), ...some(9, { status: 'DRAINING' })] },
    { priority: 1, hosts: some(1) },
  ])
  expect(shares(picker, hosts, 100)).toEqual([100, 0, 0])
})

test('localities share by their weights exactly, whatever number of hosts they have', () => {
  const groups = [
    { zone: 'a', weight: 1, hosts: some(5) },
    { zone: 'b', weight: 2, hosts: some(1) },
    { zone: 'c', weight: 7, hosts: some(3) },
    { zone: 'd', hosts: some(3) },
  ]
  const { picker, hosts } = pickerOf(groups, LOCALITIES)
  expect(shares(picker, hosts, 1_000)).toEqual([10, 20, 70, 0, 0])
})

test('without locality_weighted_lb_config weights of localities mean nothing', () => {
  const { picker, hosts } = pickerOf([
    { zone: 'a', weight: 1, hosts: some(3) },
    { zone: 'b', weight: 9, hosts: some(1) },
  ])
  expect(shares(picker, hosts, 400)).toEqual([75, 25, 0])
})

test('a locality loses load when more of it has failed than is provided over', () => {
  const { picker, hosts } = pickerOf(
    [
      { zone: 'a', weight: 1, hosts: some(10) },
      { zone: 'b', weight: 1, hosts: some(10) },
    ],
    LOCALITIES,
  )
  const [a] = hosts as [Host[]]
  fail(picker, a.slice(0, 2))
  expect(shares(picker, hosts, 1_000)).toEqual([50, 50, 0])
  // 1.4 * 0.5 = 0.7 of its weight.
  fail(picker, a.slice(0, 5))
  expect(shares(picker, hosts, 1_700)).toEqual([70_000 / 1_700, 100_000 / 1_700, 0])
  fail(picker, a)
  expect(shares(picker, hosts, 100)).toEqual([0, 100, 0])
})

test('weights of hosts hold within their locality', () => {
  const { picker, hosts } = pickerOf(
    [
      { zone: 'a', weight: 1, hosts: [{ weight: 3 }, { weight: 1 }] },
      { zone: 'b', weight: 1, hosts: some(1) },
    ],
    LOCALITIES,
  )
  const [[heavy, light], b] = hosts as [[Host, Host], Host[]]
  expect(shares(picker, [[heavy], [light], b], 800)).toEqual([37.5, 12.5, 50, 0])
})

test('a retry turns to priorities that were not tried, then begins again', () => {
  const { picker, hosts } = pickerOf([0, 1, 2].map((priority) => ({ priority, hosts: some(1) })))
  const [[first], [second], [third]] = hosts as [[Host], [Host], [Host]]
  const retryPriority = new PreviousPriorities(1)
  const choice = { ...ANY_HOST, retryPriority }
  const tried: (Host | undefined)[] = []
  for (let i = 0; i < 4; i++) {
    const host = picker.pick(choice)
    tried.push(host)
    if (host !== undefined) retryPriority.onTried(host)
  }
  expect(tried).toEqual([first, second, third, first])
})

test('with update_frequency 2 a priority is tried twice before another is', () => {
  const { picker, hosts } = pickerOf([0, 1].map((priority) => ({ priority, hosts: some(1) })))
  const [[first], [second]] = hosts as [[Host], [Host]]
  const retryPriority = new PreviousPriorities(2)
  const tried: (Host | undefined)[] = []
  for (let i = 0; i < 5; i++) {
    const host = picker.pick({ ...ANY_HOST, retryPriority })
    tried.push(host)
    if (host !== undefined) retryPriority.onTried(host)
  }
  expect(tried).toEqual([first, first, second, second, first])
})

test('a hash by 100, as whole numbers of 64 bits have it', () => {
  for (const value of [0n, 99n, 100n, 0xffff_ffffn, 0x1_0000_0000n, 0xffff_ffff_ffff_ffffn, 0x1234_5678_9abc_def0n]) {
    const hash = { high: Number(value >> 32n), low: Number(value & 0xffff_ffffn) }
    expect(hashPercent(hash)).toBe(Number(value % 100n))
  }
})
