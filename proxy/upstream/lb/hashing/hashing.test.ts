import { describe, expect, test } from '@jest/globals'
import { type Random, randomInt, seededRandom } from '../../../../lib/random.ts'
import type { HostChoice } from '../choice.ts'
import { alike, countPicks, endpoint, hostsOf } from '../testing/hosts.ts'
import { type HashingBalancer, maglevBalancer, ringHashBalancer } from './hashing.ts'
import { hostHashKey } from './host-key.ts'
import { Mersenne } from './mersenne.ts'

const HASHING = { usesHostname: false, balanceFactor: 0 }
const KINDS: readonly [string, (balanceFactor?: number) => HashingBalancer][] = [
  [
    'ring hash',
    (balanceFactor = 0) =>
      ringHashBalancer(
        { kind: 'ring_hash', minSize: 1024, maxSize: 1 << 23, ...HASHING, balanceFactor },
        seededRandom(1),
      ),
  ],
  [
    'maglev',
    (balanceFactor = 0) =>
      maglevBalancer({ kind: 'maglev', tableSize: 65537, ...HASHING, balanceFactor }, seededRandom(1)),
  ],
]

const hashed = (hash: HostChoice['hash']): HostChoice => ({ hash, avoid: undefined, draws: 0 })
const drawn = (random: Random) => hashed({ high: randomInt(random, 2 ** 32), low: randomInt(random, 2 ** 32) })

describe.each(KINDS)('%s', (_, make) => {
  test('a hash leads to the same host whatever the order of the hosts', () => {
    const hosts = alike(9)
    const [one, other] = [make(), make()]
    one.update(hosts)
    other.update([...hosts].reverse())
    const random = seededRandom(8)
    for (let i = 0; i < 1000; i++) {
      const choice = drawn(random)
      expect(other.pick(choice, 0)).toBe(one.pick(choice, 0))
    }
  })

  test('hosts that stay keep nearly all of their keys when one leaves', () => {
    const hosts = alike(10)
    const balancer = make()
    const choices = Array.from({ length: 5000 }, (_, i) => drawn(seededRandom(i)))
    balancer.update(hosts)
    const before = choices.map((choice) => balancer.pick(choice, 0))
    balancer.update(hosts.slice(1))
    const moved = choices.filter((choice, i) => before[i] !== hosts[0] && balancer.pick(choice, 0) !== before[i])
    // A ring of 1024 points has 103 of each of ten hosts, and 114 of nine.
    expect(moved.length / choices.length).toBeLessThan(0.1)
  })

  test('the table is made for the first request, and not again where nothing changed for it', () => {
    const balancer = make()
    balancer.update(alike(5))
    expect(balancer.builds).toBe(0)
    balancer.pick(drawn(seededRandom(1)), 0)
    const again = alike(5)
    balancer.update(again)
    // Of other hosts at the same addresses: they are chosen, from the table of before.
    expect(again).toContain(balancer.pick(drawn(seededRandom(1)), 0))
    expect(balancer.builds).toBe(1)
    balancer.update(hostsOf([1, 1, 1, 1, 2]))
    balancer.pick(drawn(seededRandom(1)), 0)
    expect(balancer.builds).toBe(2)
  })

  test('whoever is not wanted is followed by others, always the same', () => {
    const balancer = make()
    balancer.update(alike(5))
    const random = seededRandom(4)
    const seen = new Set<number>()
    for (let i = 0; i < 50; i++) {
      const choice = drawn(random)
      const row = Array.from({ length: 8 }, (_, redraw) => balancer.pick(choice, redraw).plan.port)
      expect(Array.from({ length: 8 }, (_, redraw) => balancer.pick(choice, redraw).plan.port)).toEqual(row)
      seen.add(new Set(row).size)
    }
    expect(Math.min(...seen)).toBeGreaterThan(1)
  })

  test('without a hash any host may come', () => {
    const hosts = alike(4)
    const balancer = make()
    balancer.update(hosts)
    const counts = countPicks(hosts, 4000, () => balancer.pick(hashed(undefined), 0))
    expect(Math.min(...counts)).toBeGreaterThan(600)
  })

  test('bounded: no host has more than its part of what is under way', () => {
    const hosts = hostsOf([1, 1, 2, 4])
    const balancer = make(150)
    balancer.update(hosts)
    const choice = drawn(seededRandom(6))
    const random = seededRandom(7)
    // One key is asked for more than all others together.
    for (let i = 1; i <= 400; i++) {
      const host = balancer.pick(i % 3 === 0 ? drawn(random) : choice, 0)
      host.activeRequests++
      const weight = host.plan.weight / 8
      expect(host.activeRequests).toBeLessThanOrEqual(Math.ceil(Math.floor((i * 150 + 99) / 100) * weight) + 1)
    }
    const unbounded = make()
    unbounded.update(hosts)
    expect(new Set(Array.from({ length: 50 }, () => unbounded.pick(choice, 0))).size).toBe(1)
  })
})

test('bounded: the overflow of a key goes the same way each time', () => {
  const hosts = alike(6)
  const balancer = KINDS[0]![1](100)
  balancer.update(hosts)
  const choice = drawn(seededRandom(6))
  const first = balancer.pick(choice, 0)
  first.activeRequests = 50
  const second = balancer.pick(choice, 0)
  expect(second).not.toBe(first)
  expect(balancer.pick(choice, 0)).toBe(second)
})

test('what is hashed of a host', () => {
  expect(hostHashKey(endpoint(80), false)).toBe('10.0.0.1:80')
  expect(hostHashKey(endpoint(80, { address: '2001:DB8:0:0::1' }), false)).toBe('[2001:db8::1]:80')
  expect(hostHashKey(endpoint(0, { unixPath: '/run/a' }), false)).toBe('/run/a')
  expect(hostHashKey(endpoint(80, { hostname: 'a.example' }), true)).toBe('a.example')
  expect(hostHashKey(endpoint(80), true)).toBe('10.0.0.1:80')
  expect(hostHashKey(endpoint(80, { hostname: 'a.example', hashKey: 'k' }), true)).toBe('k')
})

test('the twister is the standard one', () => {
  const random = new Mersenne()
  random.seed(5489)
  let last = 0
  for (let i = 0; i < 10_000; i++) last = random.next()
  // ISO C++ [rand.predef]: the 10000th of a default-constructed std::mt19937.
  expect(last).toBe(4123659995)
})
