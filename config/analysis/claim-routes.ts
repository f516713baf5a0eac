import type { GatewayBody } from '../../crds/kinds/gateway.ts'
import { claimPath } from '../claims.ts'
import { MESH_GATEWAY, resolveGateway } from '../hosts.ts'
import type { ConfigObject, FieldPath } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import { type AnalysisContext, selects } from './context.ts'

/** Istio's rootNamespace: policies there are for the workloads of all namespaces. */
const ROOT_NAMESPACE = 'istio-system'

/** Routes can ask for the claims of tokens only where tokens are checked: at gateways under a RequestAuthentication. */
export const claimRoutes: Analyzer = {
  name: 'claim-routes',
  codes: ['IST0149'],
  analyze(context) {
    const gateways = new Map(
      context.all('Gateway').map((gateway) => [`${gateway.metadata.namespace}/${gateway.metadata.name}`, gateway]),
    )
    for (const virtualService of context.all('VirtualService')) {
      const { namespace } = virtualService.metadata
      const { http = [], gateways: bound = [] } = virtualService.body.spec
      http.forEach((route, i) => {
        route.match?.forEach((match, j) => {
          const names = [...Object.keys(match.headers ?? {}), ...Object.keys(match.withoutHeaders ?? {})]
          const claim = names.find((name) => claimPath(name) !== undefined)
          if (claim === undefined) return
          const path: FieldPath = ['spec', 'http', i, 'match', j]
          const references = match.gateways ?? (bound.length === 0 ? [MESH_GATEWAY] : bound)
          for (const reference of references) {
            if (reference === MESH_GATEWAY) {
              context.report('IST0149', virtualService, path, `${claim}: sidecars know no claims; only gateways do`)
              continue
            }
            const gateway = gateways.get(resolveGateway(reference, namespace))
            if (gateway === undefined || isChecked(gateway, context)) continue
            const message = `${claim}: no RequestAuthentication checks tokens at gateway "${reference}"`
            context.report('IST0149', virtualService, path, message)
          }
        })
      })
    }
  },
}

/** Whether some policy is for a workload of the gateway; where none is known, for one with the labels that it selects by. */
function isChecked(gateway: ConfigObject<GatewayBody>, context: AnalysisContext): boolean {
  const { selector = {} } = gateway.body.spec
  const known = context.workloadsWith(selector)
  const workloads = known.length > 0 ? known : [{ namespace: gateway.metadata.namespace, labels: selector }]
  return context.all('RequestAuthentication').some(({ metadata, body }) =>
    workloads.some(({ namespace, labels }) => {
      if (metadata.namespace !== namespace && metadata.namespace !== ROOT_NAMESPACE) return false
      return (body.spec.jwtRules ?? []).length > 0 && selects(body.spec.selector?.matchLabels ?? {}, labels)
    }),
  )
}
