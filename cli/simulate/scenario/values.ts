import type { FieldPath } from '../../../config/object.ts'
import type { Report } from '../../../config/report.ts'
import { parseDurationMs } from '../../../crds/duration.ts'
import {
  constantLatency,
  exponentialLatency,
  type LatencyModel,
  lognormalLatency,
  uniformLatency,
} from '../mesh/latency.ts'
import type { LatencySpec } from './schema.ts'

/** A duration, which may have parts of a millisecond. */
export function msOf(text: string, path: FieldPath, report: Report, leastMs = 0): number {
  const ms = parseDurationMs(text)
  if (ms !== undefined && ms >= leastMs) return ms
  const least = leastMs === 0 ? '' : ` of at least ${leastMs}ms`
  report.error(path, `must be a duration${least}, such as 30s, 5ms or 0.2ms, found ${JSON.stringify(text)}`)
  return leastMs
}

/** Which fields each distribution needs. */
const NEEDS = {
  constant: ['mean'],
  uniform: ['min', 'max'],
  exponential: ['mean'],
  lognormal: ['p50', 'p99'],
} as const

export function latencyOf(spec: LatencySpec, path: FieldPath, report: Report): LatencyModel {
  const { distribution } = spec
  const byMedian = distribution === 'exponential' && spec.mean === undefined && spec.p50 !== undefined
  const needed: readonly (keyof LatencySpec)[] = byMedian ? ['p50'] : NEEDS[distribution]
  for (const field of Object.keys(spec) as (keyof LatencySpec)[]) {
    if (field === 'distribution' || needed.includes(field)) continue
    report.error([...path, field], `means nothing for ${distribution}, which needs ${needed.join(' and ')}`)
  }
  const [first, second] = needed.map((field) => {
    const text = spec[field]
    if (text !== undefined) return msOf(text, [...path, field], report)
    report.error([...path, field], `must be given for ${distribution}`)
    return 1
  }) as [number, number]
  switch (distribution) {
    case 'constant':
      return constantLatency(first)
    case 'uniform':
      if (second < first) report.error([...path, 'max'], 'must not be less than min')
      return uniformLatency(first, second)
    case 'exponential':
      return exponentialLatency(byMedian ? first / Math.LN2 : first)
    default:
      if (first <= 0) report.error([...path, 'p50'], 'must be more than 0')
      if (second < first) report.error([...path, 'p99'], 'must not be less than p50')
      return lognormalLatency(first, second)
  }
}
