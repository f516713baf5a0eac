import { type Static, Type } from '@sinclair/typebox'
import { deprecated, message, oneOf, uint32, unsupported, unsupportedValues } from '../schema.ts'
import { Destination, WorkloadSelector } from './common.ts'
import { ConnectionPoolSettings } from './destination-rule.ts'
import { ServerTLSSettings } from './gateway.ts'
import { body } from './object.ts'

export { WorkloadSelector } from './common.ts'

const captureMode = () => oneOf(['DEFAULT', 'IPTABLES', 'NONE'])

export const SidecarPort = message({
  number: uint32(),
  protocol: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  targetPort: Type.Optional(deprecated(uint32(), 'it has no effect')),
})
export type SidecarPort = Static<typeof SidecarPort>

export const IstioIngressListener = message({
  port: SidecarPort,
  bind: Type.Optional(Type.String()),
  captureMode: Type.Optional(captureMode()),
  defaultEndpoint: Type.Optional(
    Type.String({ description: 'Default 127.0.0.1 with the same port. 0.0.0.0 means the address of the workload.' }),
  ),
  tls: Type.Optional(unsupported(ServerTLSSettings, 'TLS is not honoured yet')),
  connectionPool: Type.Optional(unsupported(ConnectionPoolSettings, 'inbound limits are not honoured yet')),
})
export type IstioIngressListener = Static<typeof IstioIngressListener>

export const IstioEgressListener = message({
  port: Type.Optional(SidecarPort),
  bind: Type.Optional(Type.String()),
  captureMode: Type.Optional(captureMode()),
  hosts: Type.Array(Type.String(), { minItems: 1, description: 'namespace/host; the namespace may be *, . or ~.' }),
})
export type IstioEgressListener = Static<typeof IstioEgressListener>

export const OutboundTrafficPolicy = message({
  mode: Type.Optional(
    unsupportedValues(oneOf(['REGISTRY_ONLY', 'ALLOW_ANY', 'ALLOW_ANY_DYNAMIC_DNS']), {
      ALLOW_ANY_DYNAMIC_DNS: 'dynamic resolution is not honoured yet; it is taken as ALLOW_ANY',
    }),
  ),
  egressProxy: Type.Optional(unsupported(Destination, 'egress proxies are not honoured yet')),
})
export type OutboundTrafficPolicy = Static<typeof OutboundTrafficPolicy>

export const SidecarSpec = message(
  {
    workloadSelector: Type.Optional(WorkloadSelector),
    ingress: Type.Optional(Type.Array(IstioIngressListener)),
    egress: Type.Optional(Type.Array(IstioEgressListener)),
    outboundTrafficPolicy: Type.Optional(OutboundTrafficPolicy),
    inboundConnectionPool: Type.Optional(unsupported(ConnectionPoolSettings, 'inbound limits are not honoured yet')),
  },
  'Which hosts the sidecars of some workloads know, and which ports they open.',
)
export type SidecarSpec = Static<typeof SidecarSpec>

export const SidecarBody = body(SidecarSpec)
export type SidecarBody = Static<typeof SidecarBody>
