import { beforeEach, describe, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { seededRandom } from '../../../lib/random.ts'
import { ResponseHead } from '../../stream/message.ts'
import type { Host } from '../host.ts'
import { PeakCosts, PeakEwmaBalancer } from './peak-ewma.ts'
import { alike, countPicks, hostsOf } from './testing/hosts.ts'

const DECAY_MS = 10_000
const PICKS = 2000

let clock: ManualClock
let costs: PeakCosts
let balancer: PeakEwmaBalancer

beforeEach(() => {
  clock = new ManualClock()
  costs = new PeakCosts(clock, DECAY_MS)
  balancer = new PeakEwmaBalancer({ random: seededRandom(11) }, costs)
})

function head(status: number, grpcStatus?: string): ResponseHead {
  const made = new ResponseHead()
  made.status = status
  if (grpcStatus !== undefined) made.append('grpc-status', grpcStatus)
  return made
}

/** A try that took this long. */
function took(host: Host, ms: number, answer = head(200)): void {
  const startedMs = costs.nowMs()
  clock.advance(ms)
  costs.onResponse(host, answer, startedMs)
}

const picks = (hosts: readonly Host[]) => countPicks(hosts, PICKS, () => balancer.pick())

describe('of two hosts', () => {
  let hosts: Host[]
  beforeEach(() => {
    hosts = alike(2)
    balancer.update(hosts)
    for (let i = 0; i < 100; i++) for (const host of hosts) took(host, 20)
  })

  test('one slow answer leaves the host alone at once', () => {
    took(hosts[0]!, 200)
    expect(picks(hosts)).toEqual([0, PICKS])
  })

  test('one fast answer does not make a host fast', () => {
    took(hosts[0]!, 400)
    took(hosts[0]!, 1)
    expect(picks(hosts)).toEqual([0, PICKS])
  })

  test('requests under way weigh as much as time', () => {
    took(hosts[0]!, 60)
    // 60 ms against less than 30.
    hosts[1]!.activeRequests = 1
    expect(picks(hosts)).toEqual([0, PICKS])
    hosts[1]!.activeRequests = 3
    expect(picks(hosts)).toEqual([PICKS, 0])
  })

  test('a slow host that is not asked is asked again, when its cost has sunk', () => {
    took(hosts[0]!, 200)
    for (let i = 0; i < 300; i++) took(hosts[1]!, 20)
    expect(picks(hosts)).toEqual([0, PICKS])
    // 200 ms become 20 after ln(10) of the time constant.
    for (let i = 0; i < 900; i++) took(hosts[1]!, 20)
    expect(picks(hosts)[0]).toBe(PICKS)
  })

  test.each([
    ['503', 503, undefined],
    ['429', 429, undefined],
    ['UNAVAILABLE', 200, '14'],
  ])('%s at once makes it worse and not better', (_, status, grpcStatus) => {
    took(hosts[0]!, 0, head(status, grpcStatus))
    expect(picks(hosts)).toEqual([0, PICKS])
  })

  test.each([
    ['404', 404, undefined],
    ['NOT_FOUND', 200, '5'],
  ])('%s at once is an answer', (_, status, grpcStatus) => {
    for (let i = 0; i < 50; i++) {
      took(hosts[0]!, 10, head(status, grpcStatus))
      took(hosts[1]!, 20)
    }
    expect(picks(hosts)).toEqual([PICKS, 0])
  })

  test('what the client gave up counts with the time it waited, and never as fast', () => {
    const startedMs = costs.nowMs()
    costs.onAbandoned(hosts[0]!, startedMs)
    expect(picks(hosts)[0]).toBe(PICKS)
    clock.advance(300)
    costs.onAbandoned(hosts[0]!, startedMs)
    expect(picks(hosts)).toEqual([0, PICKS])
  })

  test('hosts that were not asked for a day are told apart by what is under way', () => {
    clock.advance(24 * 3_600_000)
    hosts[0]!.activeRequests = 1
    expect(picks(hosts)).toEqual([0, PICKS])
  })

  test('no answer is a failure', () => {
    costs.onFailure(hosts[0]!, costs.nowMs())
    expect(picks(hosts)).toEqual([0, PICKS])
  })
})

test('a host that refuses everything at once gets next to nothing, where the least busy would get all', () => {
  const hosts = alike(4)
  balancer.update(hosts)
  const counts = countPicks(hosts, 10_000, () => {
    const host = balancer.pick()
    // Ten requests a second, for a thousand seconds.
    if (host === hosts[0]) took(host, 0, head(503))
    else took(host, 20)
    clock.advance(80)
    return host
  })
  expect(counts[0]).toBeLessThan(200)
  expect(counts[0]).toBeGreaterThan(5)
})

test('one failure in a hundred, of every host, changes no shares', () => {
  const hosts = alike(4)
  balancer.update(hosts)
  const random = seededRandom(21)
  const counts = countPicks(hosts, 20_000, () => {
    const host = balancer.pick()
    took(host, 10 + random.next() * 10, head(random.next() < 0.01 ? 503 : 200))
    return host
  })
  for (const count of counts) expect(count).toBeGreaterThan(3000)
})

test('weights divide the cost', () => {
  const hosts = hostsOf([1, 3])
  balancer.update(hosts)
  for (const host of hosts) took(host, 30)
  hosts[1]!.activeRequests = 1
  expect(picks(hosts)).toEqual([0, PICKS])
  hosts[1]!.activeRequests = 3
  expect(picks(hosts)).toEqual([PICKS, 0])
})
