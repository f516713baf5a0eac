import { expect, test } from '@jest/globals'
import { seededRandom } from '../../../lib/random.ts'
import { constantLatency, exponentialLatency, type LatencyModel, lognormalLatency, uniformLatency } from './latency.ts'

function samplesOf(model: LatencyModel): { mean: number; at(part: number): number } {
  const random = seededRandom(11)
  const values = Array.from({ length: 50_000 }, () => model.sample(random)).sort((a, b) => a - b)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return { mean, at: (part) => values[Math.floor(part * values.length)] as number }
}

test('each distribution has the numbers that it was made of', () => {
  expect(samplesOf(constantLatency(5)).at(0.9)).toBe(5)
  const uniform = samplesOf(uniformLatency(2, 6))
  expect(uniform.at(0)).toBeGreaterThanOrEqual(2)
  expect(uniform.mean).toBeCloseTo(4, 1)
  const exponential = samplesOf(exponentialLatency(10))
  expect(exponential.mean / 10).toBeCloseTo(1, 1)
  expect(exponential.at(0.5) / (10 * Math.LN2)).toBeCloseTo(1, 1)
  const lognormal = samplesOf(lognormalLatency(5, 50))
  expect(lognormal.at(0.5) / 5).toBeCloseTo(1, 1)
  expect(lognormal.at(0.99) / 50).toBeCloseTo(1, 0)
})
