import { expect, test } from '@jest/globals'
import { formatGrpcTimeout, parseExpectedTimeout, parseGrpcTimeout, wholeMs } from './deadline.ts'

test.each([
  ['3S', 3000],
  ['2M', 120_000],
  ['1H', 3_600_000],
  ['250m', 250],
  ['1500u', 1.5],
  ['1000000n', 1],
])('%s is %d ms', (text, ms) => expect(parseGrpcTimeout(text)).toBeCloseTo(ms, 9))

test.each(['', '3', 'S', '123456789S', '1s', '-1S', '1.5S'])('%j is no timeout of gRPC', (text) => {
  expect(parseGrpcTimeout(text)).toBeUndefined()
})

test('what is written is never longer, has at most eight digits, and is never nothing', () => {
  expect(formatGrpcTimeout(1234.9)).toBe('1234m')
  expect(formatGrpcTimeout(0)).toBe('1m')
  expect(formatGrpcTimeout(-5)).toBe('1m')
  expect(formatGrpcTimeout(99_999_999)).toBe('99999999m')
  expect(formatGrpcTimeout(100_000_999)).toBe('100000S')
  expect(formatGrpcTimeout(1e15)).toBe('99999999S')
  expect(wholeMs(0.4)).toBe(1)
})

test('0 is no bound, and neither is what is no number', () => {
  expect(parseExpectedTimeout('15000')).toBe(15_000)
  for (const text of ['0', '', '-1', '1.5', 'x']) expect(parseExpectedTimeout(text)).toBeUndefined()
})
