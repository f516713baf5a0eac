import type { DestinationRule } from '../../mesh/destination-rule.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import type { Labels } from '../../registry/labels.ts'
import type { Service } from '../../registry/service.ts'

/** For whom, and where, the routes of a virtual host are made. */
export interface RouteContext {
  readonly options: MeshOptions
  /** The calling workload. */
  readonly client: { readonly namespace: string; readonly labels: Labels }
  /** `mesh`, or the Gateways whose servers the routes are for. */
  readonly gateways: readonly string[]
  /** The service's port, or the port of the Gateway's servers. */
  readonly port: number
  /** The service that a destination names, if it is known. */
  serviceOf(host: string): Service | undefined
  /** The rule for calls to a service. */
  ruleOf(service: Service): DestinationRule | undefined
}

/** The conditions of a match that are settled when routes are made, and not request by request. */
interface StaticMatch {
  port?: number
  gateways?: readonly string[]
  sourceLabels?: Labels
  sourceNamespace?: string
}

/**
 * Whether a match can ever be met here. One that names gateways is not asked for its source
 * (Istio's sourceMatchHTTP).
 */
export function isRelevant(match: StaticMatch, context: Pick<RouteContext, 'client' | 'gateways' | 'port'>): boolean {
  if (match.port !== undefined && match.port !== 0 && match.port !== context.port) return false
  if (match.gateways !== undefined && match.gateways.length > 0) {
    return match.gateways.some((gateway) => context.gateways.includes(gateway))
  }
  for (const key in match.sourceLabels) if (context.client.labels[key] !== match.sourceLabels[key]) return false
  const namespace = match.sourceNamespace
  return namespace === undefined || namespace === '' || namespace === context.client.namespace
}
