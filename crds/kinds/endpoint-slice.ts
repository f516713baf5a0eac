import { type Static, Type } from '@sinclair/typebox'
import { oneOf, partial, portNumber, strings } from '../schema.ts'
import { EndpointsTargetRef } from './endpoints.ts'

/**
 * The parts of a Kubernetes EndpointSlice (discovery.k8s.io/v1) that we read. The label
 * `kubernetes.io/service-name` names its Service.
 */
export const Endpoint = partial({
  addresses: strings(),
  conditions: Type.Optional(
    partial({
      ready: Type.Optional(Type.Boolean()),
      serving: Type.Optional(Type.Boolean()),
      terminating: Type.Optional(Type.Boolean()),
    }),
  ),
  hostname: Type.Optional(Type.String()),
  nodeName: Type.Optional(Type.String()),
  zone: Type.Optional(Type.String()),
  targetRef: Type.Optional(EndpointsTargetRef),
})
export type Endpoint = Static<typeof Endpoint>

export const EndpointSlicePort = partial({
  name: Type.Optional(Type.String()),
  port: Type.Optional(portNumber()),
  protocol: Type.Optional(Type.String()),
  appProtocol: Type.Optional(Type.String()),
})
export type EndpointSlicePort = Static<typeof EndpointSlicePort>

export const EndpointSliceBody = partial({
  addressType: Type.Optional(oneOf(['IPv4', 'IPv6', 'FQDN'])),
  endpoints: Type.Optional(Type.Array(Endpoint)),
  ports: Type.Optional(Type.Array(EndpointSlicePort)),
})
export type EndpointSliceBody = Static<typeof EndpointSliceBody>

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name'
