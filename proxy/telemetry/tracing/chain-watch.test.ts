import { expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { silentLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { TimerWheel } from '../../../lib/timer-wheel.ts'
import { BugReporter } from '../../stream/bugs.ts'
import type { StreamContext } from '../../stream/context.ts'
import { CHAIN_METRICS, ChainWatch } from './chain-watch.ts'

function watched() {
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const warnings: string[] = []
  const bugs = new BugReporter(metrics, silentLogger)
  const context = { metrics, bugs, wheel: new TimerWheel(clock) } as unknown as StreamContext
  const watch = new ChainWatch(context, { ...silentLogger, warning: (message) => void warnings.push(message) })
  const value = (name: string) => metrics.all().find((metric) => metric.name === name)?.value
  return { watch, warnings, value, minute: () => clock.advance(61_000) }
}

test('an application that passes nothing on is named, once', () => {
  const { watch, warnings, value, minute } = watched()
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 12; i++) {
      watch.onInbound(1)
      watch.onOutbound(i === 0)
      watch.onInbound(-1)
    }
    minute()
    expect([value(CHAIN_METRICS.calls), value(CHAIN_METRICS.begun), value(CHAIN_METRICS.isBroken)]).toEqual([12, 11, 1])
  }
  expect(value(CHAIN_METRICS.breaks)).toBe(22)
  expect(warnings).toEqual([
    'of 12 outbound calls in the last minute 11 began a trace of their own while inbound calls were under way: ' +
      'the application does not pass on traceparent; see node --import lateen/propagate',
  ])
  minute()
  expect([value(CHAIN_METRICS.calls), value(CHAIN_METRICS.isBroken)]).toEqual([0, 0])
})

test('who calls of its own accord while nobody calls it is not named', () => {
  const { watch, warnings, value, minute } = watched()
  for (let i = 0; i < 100; i++) watch.onOutbound(false)
  minute()
  expect([value(CHAIN_METRICS.breaks), warnings.length]).toEqual([0, 0])
})

test('neither is one that passes most of its traces on, nor one that hardly calls', () => {
  for (const [carried, begun] of [
    [20, 15],
    [0, 9],
  ] as const) {
    const { watch, warnings, value, minute } = watched()
    watch.onInbound(1)
    for (let i = 0; i < carried; i++) watch.onOutbound(true)
    for (let i = 0; i < begun; i++) watch.onOutbound(false)
    minute()
    expect([value(CHAIN_METRICS.breaks), value(CHAIN_METRICS.isBroken), warnings.length]).toEqual([begun, 0, 0])
  }
})
