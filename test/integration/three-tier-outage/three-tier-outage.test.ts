import { expect, test } from '@jest/globals'
import { type Behaviour, ThreeTiers, type TierOptions } from './three-tiers.ts'

/** However the last of three tiers fails, no tier sends more than 1.2 times what the client asks. */

const MOST = 1.2
/** Retries that a budget lets pass without any success, in the window of each tier. */
const FREE = 10
/** The pilot's own for every route. */
const BY_DEFAULT = { retry_on: 'connect-failure,refused-stream,retriable-status-codes', num_retries: 2 }
/**
 * That of an operator who wants to see no error. A try may take as long at each tier as at the one before: a quarter of the route's time,
 * and longer than a busy machine stops for.
 */
const EXPLICIT = { retry_on: '5xx', num_retries: 3, per_try_timeout: '0.75s' }
const NO_BUDGET = { circuit_breakers: { thresholds: [{ max_retries: 4_294_967_295 }] } }

interface Load {
  readonly calls: number
  readonly atOnce: number
}
const LOADS: Record<Exclude<Behaviour, 'healthy'>, Load> = {
  'answers 503': { calls: 1000, atOnce: 20 },
  refusals: { calls: 1000, atOnce: 20 },
  'time-outs': { calls: 400, atOnce: 100 },
}
const MODES = Object.keys(LOADS) as Exclude<Behaviour, 'healthy'>[]

/** Tries of each tier in an outage, as multiples of the calls. */
async function outage(
  options: TierOptions,
  mode: Exclude<Behaviour, 'healthy'>,
  healthyCalls = 0,
  load = LOADS[mode],
): Promise<readonly number[]> {
  const tiers = new ThreeTiers()
  await tiers.start(options)
  try {
    if (healthyCalls > 0) expect(await tiers.offer(healthyCalls, 20)).toBe(healthyCalls)
    const before = tiers.tries()
    const { calls, atOnce } = load
    await tiers.become(mode)
    expect(await tiers.offer(calls, atOnce)).toBe(0)
    const multiples = tiers.tries().map((tries, i) => (tries - (before[i] as number)) / calls)
    console.info(`${mode}, ${healthyCalls} good calls before: ${multiples.map((m) => m.toFixed(3)).join(' ')}`)
    return multiples
  } finally {
    await tiers.stop()
  }
}

test.each(
  MODES.flatMap((mode) => [
    ['the default policy', mode, BY_DEFAULT] as const,
    ['three retries of every 5xx', mode, EXPLICIT] as const,
  ]),
)(
  '%s, from the start: %s',
  async (_policy, mode, retry) => {
    const { calls } = LOADS[mode]
    for (const multiple of await outage({ retry }, mode)) {
      expect(multiple).toBeGreaterThanOrEqual(1)
      expect(multiple).toBeLessThanOrEqual(1 + (3 * FREE) / calls)
      expect(multiple).toBeLessThan(MOST)
    }
  },
  60_000,
)

test.each(MODES)(
  'three retries of every 5xx, and nobody tells the next tier anything: %s',
  async (mode) => {
    const { calls } = LOADS[mode]
    for (const multiple of await outage({ retry: EXPLICIT, areStrangers: true }, mode)) {
      expect(multiple).toBeLessThanOrEqual(1 + (3 * FREE) / calls)
      expect(multiple).toBeLessThan(MOST)
    }
  },
  60_000,
)

test.each([
  ['answers 503', 900],
  ['refusals', 900],
  ['time-outs', 360],
] as const)(
  'three retries of every 5xx, after as many good calls: %s',
  async (mode, good) => {
    for (const multiple of await outage({ retry: EXPLICIT }, mode, good)) expect(multiple).toBeLessThan(MOST)
  },
  60_000,
)

test.each(MODES)(
  'without a budget the same load is multiplied: %s',
  async (mode) => {
    const multiples = await outage({ retry: EXPLICIT, cluster: NO_BUDGET }, mode)
    expect(Math.max(...multiples)).toBeGreaterThan(2)
  },
  60_000,
)

test('and without anybody who tells the next tier it is multiplied at each', async () => {
  const multiples = await outage({ retry: EXPLICIT, cluster: NO_BUDGET, areStrangers: true }, 'answers 503', 0, {
    calls: 50,
    atOnce: 5,
  })
  // 64 but for tries that end with the time-out of a tier further out, of which a busy machine makes many.
  expect(multiples[2]).toBeGreaterThan(8)
}, 60_000)
