import type { Finding } from '../../config/finding.ts'
import { refOf } from '../../config/object.ts'
import type { Memo } from '../memo.ts'
import type { DestinationRuleIndex } from './destination-rule.ts'
import { type DestinationUse, destinationsOf } from './destinations.ts'
import type { ServiceScope } from './service-scope.ts'
import type { VirtualService } from './virtual-service.ts'

/** Istio's "referenced resource not found". */
export const REFERENCE_NOT_FOUND = 'IST0101'

/**
 * Destinations that no service or subset answers to. Their routes stay, and answer 503 with the flag NC, as in Istio;
 * a generation lists them so that nobody has to find out by traffic.
 */
export function danglingReferences(
  virtualServices: readonly VirtualService[],
  visible: (namespace: string) => ServiceScope,
  rules: DestinationRuleIndex,
  memo: Memo,
): readonly Finding[] {
  return virtualServices.flatMap((virtualService) => {
    const scope = visible(virtualService.namespace)
    const client = { namespace: virtualService.namespace, labels: {} }
    const uses = memo.get('destinations', [virtualService], () => destinationsOf(virtualService))
    return uses.flatMap((use) => {
      // A wildcard ServiceEntry does not help: only its own name has a cluster.
      const service = scope.byHost.get(use.destination.host)
      if (service === undefined) return [finding(virtualService, use, `the host ${use.destination.host} is not known`)]
      const { subset } = use.destination
      if (subset === undefined || subset === '') return []
      const rule = rules.find(client, { host: use.destination.host, namespace: service.namespace })
      if (rule?.subsets.some((entry) => entry.subset.name === subset)) return []
      const message = `no DestinationRule gives ${use.destination.host} a subset ${subset}`
      return [finding(virtualService, use, message)]
    })
  })
}

function finding(virtualService: VirtualService, use: DestinationUse, message: string): Finding {
  return {
    code: REFERENCE_NOT_FOUND,
    severity: 'error',
    object: refOf(virtualService.object),
    file: use.origin.file,
    line: use.origin.line,
    message,
  }
}
