import { prometheusText } from '../../lib/metrics/exposition.ts'
import type { Pilot } from '../pilot.ts'

/** The pilot's metrics, with Istio's names. */
export function metricsText(pilot: Pilot): Promise<string> {
  const { metrics } = pilot
  metrics.gauge('pilot_generation').set(pilot.publisher.generation)
  const findings = pilot.findings()
  for (const severity of ['error', 'warning', 'info'] as const) {
    metrics.gauge('pilot_findings', { severity }).set(findings.filter((f) => f.severity === severity).length)
  }
  return prometheusText(metrics, { namePrefix: '', labelPrefix: '' })
}
