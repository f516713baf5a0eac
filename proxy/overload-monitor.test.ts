import { expect, test } from '@jest/globals'
import { ManualClock } from '../lib/clock.ts'
import { silentLogger } from '../lib/log.ts'
import { MetricStore } from '../lib/metrics/store.ts'
import { memoryReader, OverloadMonitor } from './overload-monitor.ts'

function monitored() {
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const pressure = { resident: 0.1, heap: 0.1 }
  const monitor = new OverloadMonitor(clock, silentLogger, metrics, () => pressure)
  const gauge = metrics.gauge('overload.envoy.overload_actions.stop_accepting_requests.active')
  return { clock, pressure, monitor, gauge }
}

test('requests are refused when either memory is nearly gone, and taken again when there is enough', () => {
  const { clock, pressure, monitor, gauge } = monitored()
  const steps: [resident: number, heap: number, sheds: boolean][] = [
    [0.5, 0.5, false],
    [0.89, 0.89, false],
    [0.9, 0.1, true],
    [0.86, 0.1, true],
    [0.84, 0.1, false],
    [0.1, 0.95, true],
    [0.1, 0.2, false],
  ]
  for (const [resident, heap, sheds] of steps) {
    Object.assign(pressure, { resident, heap })
    clock.advance(250)
    expect([resident, heap, monitor.isShedding, gauge.value]).toEqual([resident, heap, sheds, sheds ? 1 : 0])
  }
  monitor.close()
  expect(clock.pendingTimers).toBe(0)
})

test('the pressure of this process is a part of what it may use', () => {
  const { resident, heap } = memoryReader()()
  for (const part of [resident, heap]) {
    expect(part).toBeGreaterThan(0)
    expect(part).toBeLessThan(1)
  }
  expect(memoryReader(1024)().resident).toBeGreaterThan(1)
})
