import type { PeerAuthenticationSpec } from '../../../crds/kinds/peer-authentication.ts'
import type { Report } from '../../report.ts'
import { checkLabels } from './common.ts'

const MAX_PORT = 65_535

export function checkPeerAuthentication(spec: PeerAuthenticationSpec, report: Report): void {
  const labels = spec.selector?.matchLabels
  checkLabels(labels, ['spec', 'selector', 'matchLabels'], report)
  const ports = Object.keys(spec.portLevelMtls ?? {})
  for (const port of ports) {
    const number = Number(port)
    if (!/^\d+$/.test(port) || number < 1 || number > MAX_PORT) {
      report.error(['spec', 'portLevelMtls', port], `"${port}" is no port`)
    }
  }
  // A port is one of a workload: there must be one that is meant.
  if (ports.length > 0 && Object.keys(labels ?? {}).length === 0) {
    report.error(['spec', 'portLevelMtls'], 'needs a selector')
  }
}
