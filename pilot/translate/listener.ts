/**
 * Listeners. Those of sidecars are planned in `sidecar-outbound.ts` (by address, or by what a Sidecar opens),
 * `sidecar-inbound.ts` and `virtual.ts` (where redirected connections come first), those of gateways in `gateway.ts`;
 * `listener.ts` makes one from its plan.
 */
export { type GatewayContext, gatewayListener } from './listener/gateway.ts'
export { listener } from './listener/listener.ts'
export { type ListenerPlan, withSecurity } from './listener/plan.ts'
export { boundInbound, redirectedInbound } from './listener/sidecar-inbound.ts'
export { type OutboundContext, type RouteUse, sidecarOutbound } from './listener/sidecar-outbound.ts'
export { virtualInbound, virtualOutbound } from './listener/virtual.ts'
