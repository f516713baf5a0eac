import type { Simulation } from '../mesh/simulation.ts'
import type { ExpectationModel } from '../scenario/model.ts'
import type { BoundsSpec } from '../scenario/schema.ts'
import { measureCalls, measureService, type SliceRange, slicesWithin } from './measures.ts'

export interface ExpectationResult {
  /** As people say it: `client web: successRate at least 0.999`. */
  expectation: string
  /** Where it is written. */
  line: number
  /** null where there was nothing to measure, which meets no expectation. */
  measured: number | null
  met: boolean
}

export function checkExpectations(simulation: Simulation): ExpectationResult[] {
  return simulation.model.expectations.flatMap((expectation) => {
    const { measure, bounds, line, fromMs, toMs } = expectation
    const range = slicesWithin(simulation, fromMs, toMs)
    return subjectsOf(expectation, simulation).map(({ name, measured }) => ({
      expectation: `${name}: ${measure} ${boundsText(bounds)}${timeText(fromMs, toMs, simulation)}`,
      line,
      ...judged(measured(range), bounds),
    }))

    function judged(value: number | undefined, wanted: BoundsSpec) {
      const measured = value === undefined ? null : Math.round(value * 1e6) / 1e6
      return { measured, met: measured !== null && isWithin(measured, wanted) }
    }
  })
}

interface Subject {
  name: string
  measured(range: SliceRange): number | undefined
}

/** Whom it is about: one client or service, or without either all clients together, and of what only services have, each service. */
function subjectsOf({ client, service, measure }: ExpectationModel, simulation: Simulation): Subject[] {
  const { clients, services } = simulation
  const isOfServices = ['amplification', 'peakAmplification', 'retries', 'ejections', 'overflows'].includes(measure)
  if (isOfServices) {
    const names = service === undefined ? [...services.keys()] : [service]
    return names.map((name) => ({
      name: `service ${name}`,
      measured: (range) => measureService(measure, simulation, name, range),
    }))
  }
  if (service !== undefined) {
    const tally = services.get(service)?.tally
    return [
      {
        name: `service ${service}`,
        measured: (range) => measureCalls(measure, tally === undefined ? [] : [tally], range),
      },
    ]
  }
  const chosen = clients.filter(({ model }) => client === undefined || model.name === client)
  const name = client === undefined ? 'all clients' : `client ${client}`
  return [
    {
      name,
      measured: (range) =>
        measureCalls(
          measure,
          chosen.map(({ tally }) => tally),
          range,
        ),
    },
  ]
}

function isWithin(value: number, { below, atMost, atLeast, above }: BoundsSpec): boolean {
  if (below !== undefined && value >= below) return false
  if (atMost !== undefined && value > atMost) return false
  if (atLeast !== undefined && value < atLeast) return false
  return above === undefined || value > above
}

function boundsText({ below, atMost, atLeast, above }: BoundsSpec): string {
  const parts = [
    above === undefined ? '' : `above ${above}`,
    atLeast === undefined ? '' : `at least ${atLeast}`,
    below === undefined ? '' : `below ${below}`,
    atMost === undefined ? '' : `at most ${atMost}`,
  ]
  return parts.filter((part) => part !== '').join(' and ')
}

function timeText(fromMs: number, toMs: number, { model }: Simulation): string {
  if (fromMs === 0 && toMs >= model.durationMs) return ''
  return ` from ${fromMs / 1000}s to ${toMs / 1000}s`
}
