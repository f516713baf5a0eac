import { expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { TurnPacer } from './turn-pacer.ts'

const WAIT_MS = 0.1

/** A thread whose turns, and what happens in them, are made up. */
class Thread {
  readonly clock = new ManualClock()
  readonly #metrics = new MetricStore()
  #idleMs = 0
  readonly waits = this.#metrics.counter('waits')
  readonly pacer = new TurnPacer({
    clock: this.clock,
    loop: { idleMs: () => this.#idleMs, stop: (ms) => this.clock.advance(ms) },
    waitMs: WAIT_MS,
    waits: this.waits,
  })

  /** Turns that take `ms` of work and sleep before each; gives in how many of them it waited. */
  turns(count: number, turn: { calls: number; callMs: number; workMs: number; idleMs?: number; hasFrames?: boolean }) {
    const before = this.waits.value
    for (let i = 0; i < count; i++) {
      this.#idleMs += turn.idleMs ?? 0
      this.clock.advance(turn.workMs + (turn.idleMs ?? 0))
      for (let call = 0; call < turn.calls; call++) this.pacer.onCall(turn.callMs)
      if (turn.hasFrames ?? true) this.pacer.onFrames()
      this.pacer.onTurnEnd()
    }
    return this.waits.value - before
  }
}

/** 80 calls are under way: 2 in each turn of 0.08 ms, of 3.2 ms each. */
const BUSY = { calls: 2, callMs: 3.2, workMs: 0.06, idleMs: 0.02 }

/** Calls of half a millisecond and more, 60 of them under way. */
const SHORT = { calls: 2, callMs: 0.6, workMs: 0.015, idleMs: 0.005 }

test('a thread that is woken for a few of many calls waits, at each turn', () => {
  const thread = new Thread()
  expect(thread.turns(1000, BUSY)).toBeGreaterThan(850)
  expect(thread.turns(1000, { calls: 5, callMs: 3.2, workMs: 0.1 })).toBe(1000)
  const fast = new Thread()
  expect(fast.turns(505, SHORT)).toBeGreaterThan(0)
  expect(fast.turns(1000, { calls: 8, callMs: 0.6, workMs: 0.02 })).toBe(1000)
})

test('goes on with turns that its waits have made large, and not with larger ones', () => {
  const thread = new Thread()
  thread.turns(1000, BUSY)
  expect(thread.turns(500, { calls: 20, callMs: 3.2, workMs: 0.6 })).toBe(500)
  expect(thread.turns(500, { calls: 25, callMs: 3.2, workMs: 0.95 })).toBeLessThan(20)
})

test('a thread with time left waits even when it finds a tenth of all calls at its door', () => {
  const turn = { calls: 8, callMs: 3.2, workMs: 0.24, idleMs: 0.08 }
  expect(new Thread().turns(1000, turn)).toBeGreaterThan(850)
  expect(new Thread().turns(1000, { ...turn, workMs: 0.32, idleMs: 0 })).toBe(0)
  expect(new Thread().turns(1000, { ...turn, callMs: 2.4 })).toBe(0)
})

test.each([
  ['few calls', { ...BUSY, callMs: 1.2 }],
  ['short calls', { ...SHORT, callMs: 0.45 }],
  ['few turns', { calls: 8, callMs: 50, workMs: 0.1, idleMs: 0.5 }],
  ['no HTTP/2', { ...BUSY, hasFrames: false }],
  ['much to do at each turn: it is behind', { calls: 30, callMs: 3.2, workMs: 0.4 }],
])('does not wait with %s', (_title, turn) => {
  expect(new Thread().turns(2000, turn)).toBe(0)
})

test('does not wait for streams that last for hours and say something now and then', () => {
  const thread = new Thread()
  const turn = { calls: 0, callMs: 3_600_000, workMs: 0.06, idleMs: 0.02 }
  for (let i = 0; i < 20; i++) expect(thread.turns(200, turn) + thread.turns(1, { ...turn, calls: 1 })).toBe(0)
})

test('stops waiting when its time is needed, and tries again only after a while', () => {
  const thread = new Thread()
  thread.turns(1000, BUSY)
  // Work for more than a millisecond, of which the wait is less than a tenth: what is left of a window, and one more.
  expect(thread.turns(100, { calls: 60, callMs: 4, workMs: 1.2 })).toBeLessThan(20)
  const { clock } = thread
  const before = clock.nowMs()
  let turns = 0
  while (thread.turns(1, BUSY) === 0) turns++
  expect(turns).toBeGreaterThan(1000)
  expect(clock.nowMs() - before).toBeGreaterThan(500)
})

test('stops waiting when calls become few', () => {
  const thread = new Thread()
  thread.turns(1000, BUSY)
  expect(thread.turns(1000, { calls: 1, callMs: 1.2, workMs: 0.06, idleMs: 0.2 })).toBeLessThan(120)
})

test('without options it never waits', () => {
  const pacer = new TurnPacer()
  for (let i = 0; i < 1000; i++) {
    pacer.onCall(50)
    pacer.onFrames()
    pacer.onTurnEnd()
  }
})
