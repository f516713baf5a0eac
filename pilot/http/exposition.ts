import { prometheusText } from '../../lib/metrics/exposition.ts'
import { processMetrics } from '../../lib/metrics/process.ts'
import { VERSION } from '../../lib/version.ts'
import type { Pilot } from '../pilot.ts'

/** The pilot's metrics, with Istio's names. */
export function metricsText(pilot: Pilot): Promise<string> {
  const { metrics } = pilot
  metrics.gauge('pilot_generation').set(pilot.publisher.generation)
  const findings = pilot.findings()
  for (const severity of ['error', 'warning', 'info'] as const) {
    metrics.gauge('pilot_findings', { severity }).set(findings.filter((f) => f.severity === severity).length)
  }
  const { services } = pilot.publisher.mesh.registry
  metrics.gauge('pilot_info', { version: VERSION }).set(1)
  metrics.gauge('istio_build', { component: 'pilot', tag: VERSION }).set(1)
  metrics.gauge('pilot_services').set(services.length)
  metrics.gauge('pilot_virt_services').set(pilot.publisher.mesh.virtualServices.all.length)
  return prometheusText(metrics, { namePrefix: '', labelPrefix: '' }, processMetrics())
}
