import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { randomInt, seededRandom, systemRandom } from '../../../lib/random.ts'
import { OutlierFixture } from './testing.ts'

/** Whatever happens, no more hosts are ejected than may be, and in the end all are back. */

const SEED = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))

const step = fc.oneof(
  fc.record({ kind: fc.constant('answer' as const), host: fc.nat(19), status: fc.constantFrom(200, 404, 500, 503) }),
  // Drawn most often, so that many are out at once and the bound is pressed upon.
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('burst' as const),
      host: fc.nat(19),
      status: fc.constantFrom(200, 500, 504),
    }),
  },
  fc.record({ kind: fc.constant('fail' as const), host: fc.nat(19) }),
  fc.record({ kind: fc.constant('connect' as const), host: fc.nat(19) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(15_000) }),
)
const outlier = fc.record({
  maxEjectionPercent: fc.nat(100),
  alwaysEjectOneHost: fc.boolean(),
  splitExternalLocalOriginErrors: fc.boolean(),
  enforcingConsecutive5xx: fc.constantFrom(0, 50, 100),
  enforcingConsecutiveGatewayFailure: fc.constantFrom(0, 100),
  enforcingFailurePercentage: fc.constantFrom(0, 100),
  successRateRequestVolume: fc.constant(3),
  failurePercentageRequestVolume: fc.constant(3),
  maxEjectionTimeJitter: fc.constantFrom('0s', '5s'),
})

test(`never more ejected than may be, and nobody for ever (seed ${SEED})`, () => {
  process.stdout.write(`ejections, seed ${SEED}\n`)
  let ejections = 0
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      outlier,
      fc.array(step, { maxLength: 150 }),
      fc.nat(),
      (size, json, steps, seed) => {
        const run = new OutlierFixture(size, json, { random: seededRandom(seed) })
        const most = Math.max((size * json.maxEjectionPercent) / 100, json.alwaysEjectOneHost ? 1 : 0)
        for (const one of steps) {
          const host = 'host' in one ? one.host % size : 0
          if (one.kind === 'answer') run.answer(host, one.status)
          else if (one.kind === 'burst') run.answer(host, one.status, 6)
          else if (one.kind === 'fail') run.detector.onLocalFailure(run.host(host), 'reset')
          else if (one.kind === 'connect') run.detector.onConnected(run.host(host))
          else run.clock.advance(one.ms)
          expect(run.ejected.length).toBeLessThanOrEqual(most)
          expect(run.stats.ejections_active ?? 0).toBe(run.ejected.length)
          ejections = Math.max(ejections, run.ejected.length)
        }
        run.clock.advance(320_000)
        expect(run.ejected).toEqual([])
        expect(run.stats.ejections_active ?? 0).toBe(0)
        const returns = run.events.filter(({ action }) => action === 'uneject').length
        expect(returns).toBe(run.stats.ejections_enforced_total ?? 0)
      },
    ),
    { seed: SEED, numRuns: 300 },
  )
  // What never ejects proves nothing.
  expect(ejections).toBeGreaterThan(2)
})
