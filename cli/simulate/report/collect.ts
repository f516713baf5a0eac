import type { Client } from '../mesh/client.ts'
import type { SimulatedService } from '../mesh/service.ts'
import type { Simulation } from '../mesh/simulation.ts'
import { checkExpectations } from './expectations.ts'
import { LatencyHistogram } from './histogram.ts'
import { COUNTERS, nominalCalls } from './measures.ts'
import type {
  CallsReport,
  ClientReport,
  LatencyReport,
  ServiceReport,
  SimulationReport,
  VersionReport,
} from './report.ts'
import type { CallSlice, CallTally } from './tally.ts'

/** Everything that a simulation which has run its course has to tell. */
export function reportOf(simulation: Simulation, seed: number): SimulationReport {
  const { model, clients, services, configEvents } = simulation
  return {
    scenario: model.file,
    seed,
    durationMs: model.durationMs,
    sliceMs: model.durationMs / model.slices,
    clients: clients.map(clientReport),
    services: [...services.values()].map((service) => serviceReport(service, simulation)),
    configuration: configEvents.map(({ atMs, generation, refused }) => ({ atMs, generation, refused: [...refused] })),
    expectations: checkExpectations(simulation),
  }
}

function clientReport({ model, tally }: Client): ClientReport {
  return {
    name: model.name,
    service: model.service,
    ...callsReport(tally),
    slices: {
      offered: tally.slices.map(({ offered }) => offered),
      successRate: tally.slices.map((slice) => successRate([slice])),
      p99Ms: tally.slices.map(({ latency }) => rounded(latency.quantileMs(0.99))),
    },
  }
}

function serviceReport(service: SimulatedService, simulation: Simulation): ServiceReport {
  const { counters, model } = simulation
  const { name } = service.model
  const { slices } = model
  /** Up to the end of the answers, which is later than that of the slices. */
  const total = (names: readonly string[]) => counters.sum(name, -1, slices, names)
  const bySlice = (names: readonly string[]) =>
    Array.from({ length: slices }, (_, i) => counters.sum(name, i - 1, i, names))
  const nominal = nominalCalls(simulation, name)
  const tries = bySlice(COUNTERS.tries)
  const amplification = tries.map((count, i) => ratio(count, nominal[i] as number))
  const peaks = amplification.filter((value): value is number => value !== null)
  const allNominal = nominal.reduce((sum, count) => sum + count, 0)
  const last = counters.last(name)
  const hedges = [...last].filter(([counter]) => counter.includes('hedge')).reduce((sum, [, count]) => sum + count, 0)
  return {
    name,
    ...callsReport(service.tally),
    tries: total(COUNTERS.tries),
    retries: total(COUNTERS.retries),
    hedges,
    retriesRefused: total(COUNTERS.retriesRefused),
    overflows: total(COUNTERS.overflows),
    ejections: total(COUNTERS.ejections),
    nominal: rounded(allNominal),
    amplification: ratio(total(COUNTERS.tries), allNominal),
    peakAmplification: peaks.length === 0 ? null : Math.max(...peaks),
    versions: versionReports(service),
    slices: {
      offered: service.tally.slices.map(({ offered }) => offered),
      tries,
      amplification,
      retries: bySlice(COUNTERS.retries),
      ejections: bySlice(COUNTERS.ejections),
    },
    counters: Object.fromEntries(last),
  }
}

function versionReports(service: SimulatedService): VersionReport[] {
  const { versions } = service.model
  const arrivedAt = (version: string) => service.endpointsOf(version).map(({ tally }) => tally.arrived)
  const all = versions.flatMap(({ name }) => arrivedAt(name)).reduce((sum, count) => sum + count, 0)
  return versions.map(({ name }) => {
    const endpoints = service.endpointsOf(name)
    const arrived = arrivedAt(name)
    const requests = arrived.reduce((sum, count) => sum + count, 0)
    const sum = (field: 'wasted' | 'queueFull') => endpoints.reduce((total, { tally }) => total + tally[field], 0)
    return {
      version: name,
      endpoints: endpoints.length,
      requests,
      share: ratio(requests, all) ?? 0,
      leastRequests: arrived.reduce((least, count) => Math.min(least, count), arrived[0] ?? 0),
      mostRequests: arrived.reduce((most, count) => Math.max(most, count), 0),
      wasted: sum('wasted'),
      queueFull: sum('queueFull'),
      longestQueue: endpoints.reduce((most, { tally }) => Math.max(most, tally.maxQueued), 0),
    }
  })
}

function callsReport({ slices, failures }: CallTally): CallsReport {
  const sum = (field: 'offered' | 'succeeded' | 'failed') => slices.reduce((total, slice) => total + slice[field], 0)
  const [offered, succeeded, failed] = [sum('offered'), sum('succeeded'), sum('failed')]
  const sorted = [...failures].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
  return {
    offered,
    succeeded,
    failed,
    unanswered: offered - succeeded - failed,
    successRate: successRate(slices),
    failures: Object.fromEntries(sorted),
    latencyMs: latencyReport(slices),
  }
}

function latencyReport(slices: readonly CallSlice[]): LatencyReport {
  const all = new LatencyHistogram()
  for (const { latency } of slices) all.addAll(latency)
  const at = (part: number) => rounded(all.quantileMs(part))
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: rounded(all.maxMs) }
}

/** What was never answered has not succeeded. */
function successRate(slices: readonly CallSlice[]): number | null {
  const offered = slices.reduce((sum, slice) => sum + slice.offered, 0)
  return ratio(
    slices.reduce((sum, slice) => sum + slice.succeeded, 0),
    offered,
  )
}

function ratio(a: number, b: number): number | null {
  return b === 0 ? null : Math.round((a / b) * 1e6) / 1e6
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}
