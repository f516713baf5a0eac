import { create } from '@bufbuild/protobuf'
import {
  DirectResponseActionSchema,
  type Route,
  RouteSchema,
  type VirtualHost,
  VirtualHost_TlsRequirementType,
  VirtualHostSchema,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { PASSTHROUGH_CLUSTER } from '../../../api/names.ts'
import type { Origin } from '../../../api/origin.ts'
import type { VirtualService } from '../../mesh/virtual-service.ts'
import type { Service, ServicePort } from '../../registry/service.ts'
import { metadata } from '../messages.ts'
import type { RouteContext } from './context.ts'
import { isCatchAll, routeMatch } from './match.ts'
import type { ServedNames } from './plan.ts'
import { clusterRoute, serviceRoute, virtualServiceRoutes } from './route.ts'

/** What a virtual host is made from; the routes themselves come when somebody asks for them. */
export interface VirtualHostPlan {
  readonly name: string
  readonly domains: readonly string[]
  /** The service's port, or that of the Gateway's servers. */
  readonly port: number
  /** In order of precedence; of a sidecar's at most one. */
  readonly rules: readonly { virtualService: VirtualService; gateways: readonly string[] }[]
  /** Who is called when no rule has a route. */
  readonly service: { service: Service; port: ServicePort } | undefined
  readonly redirectToTls: boolean
  readonly origin: Origin
}

export type PlanContext = Pick<RouteContext, 'options' | 'client' | 'serviceOf' | 'ruleOf'>

/** Undefined when there would be no route in it. */
export function virtualHost(plan: VirtualHostPlan, context: PlanContext): VirtualHost | undefined {
  const routes = plan.rules.flatMap(({ virtualService, gateways }) =>
    virtualServiceRoutes(virtualService, { ...context, port: plan.port, gateways }),
  )
  if (routes.length === 0 && plan.service !== undefined) {
    const { service, port } = plan.service
    routes.push(serviceRoute(service, port, context.ruleOf(service), context.options))
  }
  if (routes.length === 0 && !plan.redirectToTls) return undefined
  return create(VirtualHostSchema, {
    name: plan.name,
    domains: [...plan.domains],
    routes: plan.rules.length > 1 ? catchAllsLast(routes) : routes,
    includeRequestAttemptCount: true,
    ...(plan.redirectToTls && { requireTls: VirtualHost_TlsRequirementType.ALL }),
    metadata: metadata(plan.origin),
  })
}

/** Of several VirtualServices no catch-all may hide the routes of another. */
function catchAllsLast(routes: readonly Route[]): Route[] {
  const takesAll = (route: Route) => route.match !== undefined && isCatchAll(route.match)
  return [...routes.filter((route) => !takesAll(route)), ...routes.filter(takesAll)]
}

/** Where calls to hosts go that nobody knows: out as they are, or nowhere. */
export function unknownHosts(policy: 'ALLOW_ANY' | 'REGISTRY_ONLY'): VirtualHost {
  return policy === 'ALLOW_ANY' ? allowAny() : answering('block_all', 502)
}

function allowAny(): VirtualHost {
  return create(VirtualHostSchema, {
    name: 'allow_any',
    domains: ['*'],
    routes: [clusterRoute('allow_any', PASSTHROUGH_CLUSTER)],
    includeRequestAttemptCount: true,
  })
}

/** The only virtual host of a gateway's port that no VirtualService is bound to. */
export function nobodyBound(port: number): VirtualHost {
  return answering(`blackhole:${port}`, 404)
}

/** Of a server that ends TLS: what there is nothing of, and what is another's (RFC 9110 section 15.5.20). */
export function otherServers({ port, unbound, misdirected }: { readonly port: number } & ServedNames): VirtualHost[] {
  const hosts: VirtualHost[] = []
  if (unbound.length > 0) hosts.push(answering(`blackhole:${port}`, 404, unbound))
  if (misdirected.length > 0) hosts.push(answering(`misdirected:${port}`, 421, misdirected))
  return hosts
}

function answering(name: string, status: number, domains: readonly string[] = ['*']): VirtualHost {
  return create(VirtualHostSchema, {
    name,
    domains: [...domains],
    routes: [
      create(RouteSchema, {
        name,
        match: routeMatch(undefined),
        action: { case: 'directResponse', value: create(DirectResponseActionSchema, { status }) },
      }),
    ],
    includeRequestAttemptCount: true,
  })
}
