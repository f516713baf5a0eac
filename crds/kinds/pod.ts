import { type Static, Type } from '@sinclair/typebox'
import { partial, portNumber } from '../schema.ts'

/** The parts of a Kubernetes Pod (v1) that we read. */
export const ContainerPort = partial({
  name: Type.Optional(Type.String()),
  containerPort: portNumber(),
  protocol: Type.Optional(Type.String()),
})
export type ContainerPort = Static<typeof ContainerPort>

export const Container = partial({
  name: Type.Optional(Type.String()),
  image: Type.Optional(Type.String()),
  ports: Type.Optional(Type.Array(ContainerPort)),
  restartPolicy: Type.Optional(Type.String()),
})
export type Container = Static<typeof Container>

export const PodSpec = partial({
  containers: Type.Optional(Type.Array(Container)),
  initContainers: Type.Optional(Type.Array(Container)),
  serviceAccountName: Type.Optional(Type.String()),
  nodeName: Type.Optional(Type.String()),
  hostNetwork: Type.Optional(Type.Boolean()),
})
export type PodSpec = Static<typeof PodSpec>

export const PodCondition = partial({ type: Type.String(), status: Type.String() })
export type PodCondition = Static<typeof PodCondition>

export const PodStatus = partial({
  phase: Type.Optional(Type.String()),
  podIP: Type.Optional(Type.String()),
  podIPs: Type.Optional(Type.Array(partial({ ip: Type.Optional(Type.String()) }))),
  hostIP: Type.Optional(Type.String()),
  conditions: Type.Optional(Type.Array(PodCondition)),
})
export type PodStatus = Static<typeof PodStatus>

export const PodBody = partial({ spec: Type.Optional(PodSpec), status: Type.Optional(PodStatus) })
export type PodBody = Static<typeof PodBody>
