import { type Static, Type } from '@sinclair/typebox'
import { oneOf, partial, portNumber, stringMap, strings } from '../schema.ts'

/** The parts of a Kubernetes Service (v1) that we read. */
export const ServicePort = partial({
  name: Type.Optional(Type.String()),
  port: portNumber(),
  protocol: Type.Optional(oneOf(['TCP', 'UDP', 'SCTP'])),
  appProtocol: Type.Optional(Type.String()),
  targetPort: Type.Optional(Type.Union([Type.Integer(), Type.String()])),
  nodePort: Type.Optional(Type.Integer()),
})
export type ServicePort = Static<typeof ServicePort>

export const ServiceSpec = partial({
  type: Type.Optional(oneOf(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'])),
  ports: Type.Optional(Type.Array(ServicePort)),
  selector: Type.Optional(stringMap()),
  clusterIP: Type.Optional(Type.String({ description: '"None" makes the service headless.' })),
  clusterIPs: Type.Optional(strings()),
  externalName: Type.Optional(Type.String()),
  externalIPs: Type.Optional(strings()),
  publishNotReadyAddresses: Type.Optional(Type.Boolean()),
  sessionAffinity: Type.Optional(Type.String()),
  trafficDistribution: Type.Optional(Type.String()),
})
export type ServiceSpec = Static<typeof ServiceSpec>

export const ServiceBody = partial({ spec: ServiceSpec })
export type ServiceBody = Static<typeof ServiceBody>
