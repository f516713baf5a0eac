import type { FieldPath } from '../../../config/object.ts'
import type { Report } from '../../../config/report.ts'
import type { ExpectationModel } from './model.ts'
import { type ExpectSpec, MEASURES, type Measure, type Scenario } from './schema.ts'
import { msOf } from './values.ts'

/** What only services are measured by. */
const OF_SERVICES: ReadonlySet<Measure> = new Set([
  'amplification',
  'peakAmplification',
  'retries',
  'ejections',
  'overflows',
])

export function resolveExpectations(
  scenario: Scenario,
  durationMs: number,
  lineOf: (path: FieldPath) => number,
  report: Report,
): ExpectationModel[] {
  return (scenario.expect ?? []).flatMap((spec, i) => {
    const path = ['expect', i]
    const { client, service } = spec
    const knows = (list: readonly { name: string }[], name: string) => list.some((one) => one.name === name)
    if (client !== undefined && service !== undefined)
      report.error([...path, 'service'], 'give client or service, not both')
    if (client !== undefined && !knows(scenario.clients, client))
      report.error([...path, 'client'], `there is no client "${client}"`)
    if (service !== undefined && !knows(scenario.services, service)) {
      report.error([...path, 'service'], `there is no service "${service}"`)
    }
    const fromMs = spec.from === undefined ? 0 : msOf(spec.from, [...path, 'from'], report)
    const toMs = spec.to === undefined ? durationMs : msOf(spec.to, [...path, 'to'], report)
    if (fromMs >= toMs) report.error([...path, 'to'], 'must be after from')
    const measures = MEASURES.filter((measure) => spec[measure] !== undefined)
    if (measures.length === 0) report.error(path, `says nothing; it may bound ${MEASURES.join(', ')}`)
    return measures.map((measure) => {
      const at = [...path, measure]
      const bounds = spec[measure] as NonNullable<ExpectSpec[Measure]>
      if (Object.keys(bounds).length === 0) report.error(at, 'needs one of below, atMost, atLeast, above')
      if (client !== undefined && OF_SERVICES.has(measure)) report.error(at, 'is measured of services, not of clients')
      return { client, service, fromMs, toMs, measure, bounds, line: lineOf(at) }
    })
  })
}
