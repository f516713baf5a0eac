/**
 * Route tables. `sidecar.ts` and `gateway.ts` plan which virtual hosts there are and who rules them;
 * `virtual-host.ts` makes one from its plan, with the routes of `route.ts`, so that each can be made, kept and served
 * by itself; `configuration.ts` puts them together.
 */
export { encodeRouteConfiguration } from './route/configuration.ts'
export { gatewayRoutePlans } from './route/gateway.ts'
export { hasConsistentHash } from './route/hash-policy.ts'
export type { Otherwise, RoutePlan } from './route/plan.ts'
export { ruleIndex, sidecarRoutePlan } from './route/sidecar.ts'
export {
  nobodyBound,
  otherServers,
  type PlanContext,
  unknownHosts,
  type VirtualHostPlan,
  virtualHost,
} from './route/virtual-host.ts'
