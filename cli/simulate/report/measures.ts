import type { Simulation } from '../mesh/simulation.ts'
import type { Measure } from '../scenario/schema.ts'
import { LatencyHistogram } from './histogram.ts'
import type { CallTally } from './tally.ts'

/** Envoy's counters of clusters behind each of our numbers. */
export const COUNTERS = {
  tries: ['upstream_rq_total'],
  retries: ['upstream_rq_retry'],
  retriesRefused: ['upstream_rq_retry_overflow'],
  overflows: ['upstream_rq_pending_overflow'],
  ejections: ['outlier_detection.ejections_enforced_total'],
} as const

const QUANTILES = { p50Ms: 0.5, p90Ms: 0.9, p99Ms: 0.99, p999Ms: 0.999 } as const

/**
 * By slice: how often a service would be called if nothing ever failed and nothing was repeated, by what clients offer and by the
 * calls that services make for each of their requests.
 */
export function nominalCalls({ clients, services, model }: Simulation, name: string): number[] {
  const callsOf = new Map<string, number>([[name, 1]])
  const perRequest = (service: string): number => {
    let calls = callsOf.get(service)
    if (calls === undefined) {
      calls = 0
      for (const call of services.get(service)?.model.calls ?? []) {
        calls += call.count * call.probability * perRequest(call.service)
      }
      callsOf.set(service, calls)
    }
    return calls
  }
  return Array.from({ length: model.slices }, (_, i) =>
    clients.reduce((sum, client) => sum + (client.tally.slices[i]?.offered ?? 0) * perRequest(client.model.service), 0),
  )
}

/** Which slices lie within a time, the last one not included. */
export interface SliceRange {
  readonly first: number
  readonly end: number
}

export function slicesWithin({ model }: Simulation, fromMs: number, toMs: number): SliceRange {
  const sliceMs = model.durationMs / model.slices
  return {
    first: Math.min(model.slices - 1, Math.floor(fromMs / sliceMs)),
    end: Math.max(1, Math.min(model.slices, Math.ceil(toMs / sliceMs))),
  }
}

/** undefined where nothing was measured, since nothing was called. */
export function measureCalls(
  measure: Measure,
  tallies: readonly CallTally[],
  { first, end }: SliceRange,
): number | undefined {
  const slices = tallies.flatMap((tally) => tally.slices.slice(first, end))
  const sum = (field: 'offered' | 'succeeded') => slices.reduce((total, slice) => total + slice[field], 0)
  if (measure === 'offered') return sum('offered')
  if (measure === 'failed') return sum('offered') - sum('succeeded')
  if (measure === 'successRate') return sum('offered') === 0 ? undefined : sum('succeeded') / sum('offered')
  const all = new LatencyHistogram()
  for (const { latency } of slices) all.addAll(latency)
  return all.count === 0 ? undefined : all.quantileMs(QUANTILES[measure as keyof typeof QUANTILES])
}

export function measureService(
  measure: Measure,
  simulation: Simulation,
  service: string,
  { first, end }: SliceRange,
): number | undefined {
  const { counters, model } = simulation
  // What comes after the end of the last slice is counted with it.
  const last = end === model.slices ? end : end - 1
  const total = (names: readonly string[]) => counters.sum(service, first - 1, last, names)
  if (measure === 'retries' || measure === 'ejections' || measure === 'overflows') return total(COUNTERS[measure])
  const nominal = nominalCalls(simulation, service)
  if (measure === 'amplification') {
    const calls = nominal.slice(first, end).reduce((sum, count) => sum + count, 0)
    return calls === 0 ? undefined : total(COUNTERS.tries) / calls
  }
  let peak: number | undefined
  for (let i = first; i < end; i++) {
    const calls = nominal[i] as number
    if (calls > 0) peak = Math.max(peak ?? 0, counters.sum(service, i - 1, i, COUNTERS.tries) / calls)
  }
  return peak
}
