import { expect, test } from '@jest/globals'
import { parseDurationMs } from './duration.ts'

test.each([
  ['5s', 5000],
  ['0.5s', 500],
  ['.5s', 500],
  ['1h30m', 5_400_000],
  ['100ms', 100],
  ['1m0.1s', 60_100],
  ['10us', 0.01],
  ['0', 0],
  ['0s', 0],
  ['-1s', -1000],
  ['24h', 86_400_000],
])('%s is %d ms', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms)
})

test.each(['', '5', 's', '5 s', '5S', '1d', '1..s', '--1s', 'ms', '1s ', `${'1'.repeat(70)}s`])(
  '%j is no duration',
  (text) => {
    expect(parseDurationMs(text)).toBeUndefined()
  },
)
