import { type Static, Type } from '@sinclair/typebox'
import { partial, portNumber } from '../schema.ts'

/** The parts of Kubernetes Endpoints (v1) that we read. The object has the name of its Service. */
export const EndpointsTargetRef = partial({
  kind: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  namespace: Type.Optional(Type.String()),
})
export type EndpointsTargetRef = Static<typeof EndpointsTargetRef>

export const EndpointAddress = partial({
  ip: Type.String(),
  hostname: Type.Optional(Type.String()),
  nodeName: Type.Optional(Type.String()),
  targetRef: Type.Optional(EndpointsTargetRef),
})
export type EndpointAddress = Static<typeof EndpointAddress>

export const EndpointPort = partial({
  name: Type.Optional(Type.String()),
  port: portNumber(),
  protocol: Type.Optional(Type.String()),
  appProtocol: Type.Optional(Type.String()),
})
export type EndpointPort = Static<typeof EndpointPort>

export const EndpointSubset = partial({
  addresses: Type.Optional(Type.Array(EndpointAddress)),
  notReadyAddresses: Type.Optional(Type.Array(EndpointAddress)),
  ports: Type.Optional(Type.Array(EndpointPort)),
})
export type EndpointSubset = Static<typeof EndpointSubset>

export const EndpointsBody = partial({ subsets: Type.Optional(Type.Array(EndpointSubset)) })
export type EndpointsBody = Static<typeof EndpointsBody>
