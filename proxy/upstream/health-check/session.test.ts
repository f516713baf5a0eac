import { expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { silentLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { type Random, seededRandom } from '../../../lib/random.ts'
import { clusterPlan } from '../../plan/testing.ts'
import { HEALTH_FLAG, type HealthFlag, healthFlagsText } from '../health.ts'
import { Host } from '../host.ts'
import { OwnHostTable } from '../host-table/host-table.ts'
import { endpointAt } from '../outlier/testing.ts'
import { HealthChecker } from './checker.ts'
import type { Probe, ProbeOwner, ProbeResult } from './probe.ts'
import { healthCheckStats } from './stats.ts'

/** When checks are made and what they change, on a clock that stands still and with probes that answer when told to. */

class FakeProbe implements Probe {
  readonly owner: ProbeOwner
  asked = 0
  givenUp = 0
  isClosed = false

  constructor(owner: ProbeOwner) {
    this.owner = owner
  }

  ask(): void {
    this.asked++
  }

  giveUp(): void {
    this.givenUp++
  }

  close(): void {
    this.isClosed = true
  }
}

const CHECK = { timeout: '1s', interval: '10s', unhealthyThreshold: 3, healthyThreshold: 2 }

class Run {
  readonly clock = new ManualClock()
  readonly metrics = new MetricStore()
  readonly host = new Host(endpointAt(1000))
  readonly events: string[] = []
  readonly checker: HealthChecker
  readonly returned: Host[] = []
  hasTraffic = true
  probe!: FakeProbe

  constructor(check: object, random: Random = seededRandom(1)) {
    const plan = clusterPlan({ healthChecks: [{ ...CHECK, httpHealthCheck: { path: '/' }, ...check }] }).healthCheck
    if (plan === undefined) throw new Error('no check')
    this.host.record = new OwnHostTable(this.clock).claim('c', 'h', 0)
    this.host.setHealthFlag(HEALTH_FLAG.failedActiveCheck, true)
    const run = this
    const cluster = {
      name: 'c',
      hosts: [this.host],
      get hasTraffic() {
        return run.hasTraffic
      },
      setFoundFlag: (host: Host, flag: HealthFlag, isSet: boolean) => void host.setHealthFlag(flag, isSet),
      onHealthyCheck: (host: Host) => void this.returned.push(host),
    }
    const log = {
      ...silentLogger,
      info: (_: string, event?: object) => void this.events.push((event as { kind: string }).kind),
    }
    const context = { clock: this.clock, random, log, table: new OwnHostTable(this.clock) }
    this.checker = new HealthChecker(plan, cluster, context, healthCheckStats(this.metrics, 'c'), (_host, owner) => {
      this.probe = new FakeProbe(owner)
      return this.probe
    })
    this.checker.add(this.host, true)
    this.checker.countHealthy()
  }

  /** Answers, and says how long it takes until the next question. */
  answer(result: ProbeResult): number {
    this.probe.owner.onResult(result)
    return this.waitForNext()
  }

  waitForNext(): number {
    const before = this.probe.asked
    const fromMs = this.clock.nowMs()
    while (this.probe.asked === before) this.clock.advance(1)
    return this.clock.nowMs() - fromMs
  }

  get flags(): string {
    return healthFlagsText(this.host.healthFlags)
  }

  get stats(): Record<string, number> {
    const found = this.metrics.all().filter(({ value }) => value !== 0)
    return Object.fromEntries(found.map(({ name, value }) => [name.replace('cluster.health_check.', ''), value]))
  }
}

test('a host is unhealthy until its first check, of which one success is enough', () => {
  const run = new Run({})
  expect([run.probe.asked, run.flags]).toEqual([1, '/failed_active_hc'])
  expect(run.answer('healthy')).toBe(10_000)
  expect(run.flags).toBe('healthy')
  expect(run.events).toEqual(['add_healthy'])
  expect(run.stats).toEqual({ attempt: 2, success: 1, healthy: 1 })
  expect(run.returned).toEqual([run.host])
})

test('what cannot be asked fails after so many times, and returns after so many', () => {
  const run = new Run({})
  run.answer('healthy')
  run.answer('network')
  run.answer('network')
  run.answer('healthy')
  run.answer('network')
  run.answer('network')
  expect(run.flags).toBe('healthy')
  run.answer('network')
  expect(run.flags).toBe('/failed_active_hc')
  run.answer('healthy')
  run.answer('network')
  run.answer('healthy')
  expect(run.flags).toBe('/failed_active_hc')
  run.answer('healthy')
  expect(run.flags).toBe('healthy')
  expect(run.events).toEqual(['add_healthy', 'eject_unhealthy', 'add_healthy'])
  expect(run.stats).toEqual({ attempt: 12, success: 5, failure: 6, network_failure: 6, healthy: 1 })
})

test('a bad answer is believed at once, unless it may be retried', () => {
  const atOnce = new Run({})
  atOnce.answer('healthy')
  atOnce.answer('unhealthy')
  expect(atOnce.flags).toBe('/failed_active_hc')
  const retried = new Run({})
  retried.answer('healthy')
  retried.answer('retriable')
  retried.answer('retriable')
  expect(retried.flags).toBe('healthy')
  retried.answer('retriable')
  expect(retried.flags).toBe('/failed_active_hc')
})

test('a check that takes too long is given up and has failed', () => {
  const run = new Run({ unhealthyThreshold: 1 })
  run.answer('healthy')
  run.clock.advance(999)
  expect(run.probe.givenUp).toBe(0)
  run.clock.advance(1)
  expect([run.probe.givenUp, run.flags]).toEqual([1, '/failed_active_hc/active_hc_timeout'])
  expect(run.waitForNext()).toBe(10_000)
  run.answer('healthy')
  run.answer('healthy')
  expect(run.flags).toBe('healthy')
})

test('intervals are by health and by what changes', () => {
  const run = new Run({
    unhealthyInterval: '20s',
    unhealthyEdgeInterval: '3s',
    healthyEdgeInterval: '4s',
    unhealthyThreshold: 2,
  })
  const waits = (['healthy', 'healthy', 'network', 'network', 'network', 'healthy', 'healthy', 'healthy'] as const).map(
    (result) => run.answer(result),
  )
  expect(waits).toEqual([10_000, 10_000, 3000, 20_000, 20_000, 4000, 10_000, 10_000])
})

test('of a cluster that nobody has used hosts are checked once a minute', () => {
  const run = new Run({})
  run.hasTraffic = false
  expect(run.answer('healthy')).toBe(60_000)
  expect(run.answer('network')).toBe(60_000)
  const other = new Run({ noTrafficInterval: '5s', noTrafficHealthyInterval: '50s' })
  other.hasTraffic = false
  expect([other.answer('healthy'), other.answer('network')]).toEqual([50_000, 5000])
  other.hasTraffic = true
  expect(other.answer('healthy')).toBe(10_000)
})

test('jitter makes waits longer, the first and the others', () => {
  const half: Random = { next: () => 0.5 }
  const run = new Run({ initialJitter: '6s', intervalJitter: '2s', intervalJitterPercent: 50 }, half)
  expect(run.probe.asked).toBe(0)
  expect(run.waitForNext()).toBe(3000)
  expect(run.answer('healthy')).toBe(10_000 + 1000 + 2500)
})

test('a host that says that it is degraded is', () => {
  const run = new Run({})
  run.answer('degraded')
  expect([run.flags, run.host.health]).toEqual(['/degraded_active_hc', 'degraded'])
  run.answer('healthy')
  expect([run.flags, run.host.health]).toEqual(['healthy', 'healthy'])
  expect(run.events).toEqual(['add_healthy', 'degraded', 'no_longer_degraded'])
})

test('any answer may say that the host fails', () => {
  const run = new Run({})
  run.answer('healthy')
  run.checker.onImmediateFailure(run.host)
  run.checker.onImmediateFailure(run.host)
  expect(run.flags).toBe('/failed_active_hc/excluded_via_immediate_hc_fail')
  expect(run.stats).toMatchObject({ failure: 1, passive_failure: 1 })
  run.answer('healthy')
  run.answer('healthy')
  expect(run.flags).toBe('healthy')
})

test('an endpoint may not be checked at all', () => {
  const run = new Run({})
  const other = new Host({ ...endpointAt(2), healthCheck: { isDisabled: true, address: '', port: 0, hostname: '' } })
  run.checker.add(other, true)
  expect(other.health).toBe('healthy')
  expect(run.stats.attempt).toBe(1)
})

test('nothing is asked of a host that has gone', () => {
  const run = new Run({})
  run.checker.remove(run.host)
  expect(run.probe.isClosed).toBe(true)
  run.clock.advance(100_000)
  run.probe.owner.onResult('healthy')
  expect([run.probe.asked, run.flags]).toEqual([1, '/failed_active_hc'])
})
