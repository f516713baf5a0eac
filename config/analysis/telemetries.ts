import type { TelemetryBody } from '../../crds/kinds/telemetry.ts'
import type { ConfigObject } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import { type AnalysisContext, append } from './context.ts'
import { names, reportOverlaps } from './overlaps.ts'

/** Of each level there is one Telemetry: of several the oldest counts, and the others do nothing. */
export const telemetries: Analyzer = {
  name: 'telemetries',
  codes: ['IST0157', 'IST0159', 'IST0160'],
  analyze(context) {
    const byNamespace = new Map<string, ConfigObject<TelemetryBody>[]>()
    for (const telemetry of context.all('Telemetry')) {
      append(byNamespace, telemetry.metadata.namespace, telemetry)
      reportEmptyProviders(telemetry, context)
    }
    for (const [namespace, all] of byNamespace) {
      const plain = all.filter((one) => isEmpty(labelsOf(one)))
      if (plain.length > 1) {
        for (const one of plain) {
          const message = `namespace "${namespace}" has several Telemetries without selector, of which the oldest counts: ${names(plain)}`
          context.report('IST0160', one, [], message)
        }
      }
      const selecting = all.filter((one) => !isEmpty(labelsOf(one)))
      reportOverlaps(selecting, labelsOf, 'IST0159', ['spec', 'selector'], context)
    }
  },
}

function reportEmptyProviders(telemetry: ConfigObject<TelemetryBody>, context: AnalysisContext): void {
  const { tracing = [], metrics = [], accessLogging = [] } = telemetry.body.spec
  for (const [field, entries] of Object.entries({ tracing, metrics, accessLogging })) {
    for (const [i, { providers }] of entries.entries()) {
      if (providers === undefined || providers.length > 0) continue
      const message = `spec.${field}[${i}].providers: names nobody; leave it out to mean those of the level above`
      context.report('IST0157', telemetry, ['spec', field, i, 'providers'], message)
    }
  }
}

function labelsOf({ body }: ConfigObject<TelemetryBody>): Readonly<Record<string, string>> {
  return body.spec.selector?.matchLabels ?? {}
}

function isEmpty(labels: Readonly<Record<string, string>>): boolean {
  return Object.keys(labels).length === 0
}
