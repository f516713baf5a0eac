import { ListenerSchema } from '../../api/gen/envoy/config/listener/v3/listener_pb.js'
import { TYPE_URL } from '../../api/type-urls.ts'
import type { Memo } from '../memo.ts'
import type { Generation } from '../mesh/generation.ts'
import type { NodeScope } from '../mesh/scope.ts'
import { effectivePolicy } from '../mesh/traffic-policy.ts'
import type { Service } from '../registry/service.ts'
import { encoded } from '../resource.ts'
import { limitPatches, withLimits } from '../translate/limits/plan.ts'
import {
  boundInbound,
  gatewayListener,
  type ListenerPlan,
  listener,
  redirectedInbound,
  sidecarOutbound,
  virtualInbound,
  virtualOutbound,
  withSecurity,
} from '../translate/listener.ts'
import { gatewayRoutePlans, type RoutePlan, sidecarRoutePlan } from '../translate/route.ts'
import { keysOfWorkload, securityPlan } from '../translate/security/plan.ts'
import { withTelemetry } from '../translate/telemetry/plan.ts'
import type { EncodedResource } from '../xds/view.ts'
import { plannedInbound } from './clusters.ts'

/** What a scope opens, and the route tables that its listeners name. */
export interface OpenPlan {
  readonly listeners: readonly ListenerPlan[]
  readonly routes: ReadonlyMap<string, RoutePlan>
}

export function openPlan(scope: NodeScope, generation: Generation, memo: Memo): OpenPlan {
  const { options, virtualServices, destinationRules } = generation
  const keys = keysOfWorkload(scope.security, generation.keys)
  const inputs = [scope, options, virtualServices, destinationRules, ...headlessEndpoints(scope, generation), ...keys]
  return memo.get('open plan', inputs, () =>
    scope.type === 'router' ? gatewayPlan(scope, generation) : sidecarPlan(scope, generation, memo),
  )
}

function sidecarPlan(scope: NodeScope, generation: Generation, memo: Memo): OpenPlan {
  const { options, registry } = generation
  const inbound = plannedInbound(scope, generation, memo)
  const endpointsOf = (service: Service, port: number) => registry.endpointsOf(service).get(port) ?? []
  const outbound = sidecarOutbound({ ...chainContext(scope, generation), scope, endpointsOf })
  const security = securityPlan(scope.security, generation.keys)
  const patches = limitPatches(scope.limits)
  const secured = (plan: ListenerPlan) => withSecurity(plan, security)
  const listeners = [...outbound.listeners, ...boundInbound(inbound).map(secured)]
  if (scope.captured) {
    const redirected = virtualInbound(redirectedInbound(inbound), scope, options)
    listeners.push(virtualOutbound(scope, options), secured(redirected))
  }
  const routes = new Map<string, RoutePlan>()
  for (const { name, port, egress } of outbound.routes) {
    if (!routes.has(name)) routes.set(name, sidecarRoutePlan(name, port, egress, scope, options))
  }
  return {
    listeners: listeners.map((plan) => withTelemetry(withLimits(plan, patches, 'sidecar'), scope.telemetry)),
    routes,
  }
}

function gatewayPlan(scope: NodeScope, generation: Generation): OpenPlan {
  const boundTo = (gateway: string) => generation.virtualServices.boundTo(gateway, scope.namespace)
  const context = {
    ...chainContext(scope, generation),
    boundTo,
    services: scope.services.services,
    ruleOf: (service: Service) => generation.destinationRules.find(scope, service),
  }
  const security = securityPlan(scope.security, generation.keys)
  const patches = limitPatches(scope.limits)
  const listeners = scope.gatewayPorts
    .flatMap((port) => gatewayListener(port, context) ?? [])
    .map((plan) => withTelemetry(withLimits(withSecurity(plan, security), patches, 'router'), scope.telemetry))
  const plans = scope.gatewayPorts.flatMap((port) => gatewayRoutePlans(port, boundTo))
  return { listeners, routes: new Map(plans.map((plan) => [plan.name, plan])) }
}

function chainContext(scope: NodeScope, { destinationRules }: Generation) {
  return {
    client: { namespace: scope.namespace, labels: scope.labels },
    serviceOf: (host: string) => scope.services.byHost.get(host),
    idleTimeoutOf: (service: Service | undefined, port: number) => {
      if (service === undefined) return undefined
      return effectivePolicy(destinationRules.find(scope, service), '', port).connectionPool?.tcp?.idleTimeout
    },
    hashesSourceIp: (service: Service | undefined, port: number, subset: string) => {
      if (service === undefined) return false
      const { loadBalancer } = effectivePolicy(destinationRules.find(scope, service), subset, port)
      return loadBalancer?.consistentHash?.useSourceIp === true
    },
  }
}

/** Only the listeners of headless services depend on endpoints: there is one for each Pod. */
function headlessEndpoints(scope: NodeScope, { registry }: Generation) {
  if (!scope.captured) return []
  return scope.services.services.filter((service) => service.headless).map((service) => registry.endpointsOf(service))
}

export function listenerResources(scope: NodeScope, generation: Generation, memo: Memo): readonly EncodedResource[] {
  const { options } = generation
  const plan = openPlan(scope, generation, memo)
  return memo.get('listeners', [plan, options], () =>
    memo.list(
      'listeners',
      plan.listeners.map((one) =>
        memo.get('listener', [JSON.stringify(one), options], () =>
          encoded(TYPE_URL.listener, one.name, ListenerSchema, listener(one, options), memo),
        ),
      ),
    ),
  )
}
