import { expect, test } from '@jest/globals'
import type { Measure, Outcome } from './outcome.ts'
import { outcomeText } from './report/text.ts'
import { verdictText } from './report/verdict-text.ts'
import { judge } from './verdict.ts'

const measure: Measure = {
  title: 'some load',
  unit: 'us',
  digits: 1,
  better: 'lower',
  reference: 'envoy',
  held: 'lateen',
  must: { of: 'envoy', times: 0.5 },
  reach: { times: 12 },
}

function outcome(lateen: readonly number[], envoy: readonly number[], fields: Partial<Measure> = {}): Outcome {
  const samples = (values: readonly number[]) => values.map((value) => ({ value }))
  const all = Object.entries({ envoy: samples(envoy), lateen: samples(lateen) }).filter(([, s]) => s.length > 0)
  return { measure: { ...measure, ...fields }, samples: new Map(all), notes: [] }
}

test('a bound of another contender is held by the ratios within rounds, one without by the figures', () => {
  const found = outcome([10, 12, 30], [20, 24, 60])
  expect(judge(found, measure.must).holds).toBe(true)
  expect(judge(found, { of: 'envoy', times: 0.49 }).holds).toBe(false)
  expect(judge(found, { times: 12 }).holds).toBe(true)
  expect(judge(found, { times: 11.9 }).holds).toBe(false)
})

test('where more is better the bound is a floor', () => {
  const found = outcome([10], [20], { better: 'higher' })
  expect(judge(found, { of: 'envoy', times: 0.5 }).holds).toBe(true)
  expect(judge(found, { of: 'envoy', times: 0.51 }).holds).toBe(false)
})

test('a contender that is missing leaves the bound open', () => {
  expect(judge(outcome([10], []), measure.must).holds).toBeUndefined()
  expect(judge(outcome([], [10]), measure.reach).holds).toBeUndefined()
  expect(verdictText(outcome([10], []), 'must')).toBe('must at most 0.5 of envoy: not measured')
})

test('a table has a line for each contender, ratios of the reference, and both verdicts', () => {
  expect(outcomeText(outcome([10, 14], [20, 20]))).toBe(
    [
      'some load',
      'PROXY      US     MIN..MAX   OF ENVOY     MIN..MAX',
      'envoy    20.0   20.0..20.0       1.00   1.00..1.00',
      'lateen   12.0   10.0..14.0       0.60   0.50..0.70',
      '  must at most 0.5 of envoy: does not hold, 0.60 (0.50..0.70)',
      '  reach at most 12 us: holds, 12.0 (10.0..14.0)',
      '',
    ].join('\n'),
  )
})
