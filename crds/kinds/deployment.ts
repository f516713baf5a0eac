import { type Static, Type } from '@sinclair/typebox'
import { partial, stringMap } from '../schema.ts'
import { PodSpec } from './pod.ts'

/** The parts of a Kubernetes Deployment (apps/v1) that we read; StatefulSet and DaemonSet share them. */
export const PodTemplate = partial({
  metadata: Type.Optional(partial({ labels: Type.Optional(stringMap()), annotations: Type.Optional(stringMap()) })),
  spec: Type.Optional(PodSpec),
})
export type PodTemplate = Static<typeof PodTemplate>

export const DeploymentSpec = partial({
  replicas: Type.Optional(Type.Integer({ minimum: 0 })),
  selector: Type.Optional(partial({ matchLabels: Type.Optional(stringMap()) })),
  template: PodTemplate,
})
export type DeploymentSpec = Static<typeof DeploymentSpec>

export const DeploymentBody = partial({ spec: DeploymentSpec })
export type DeploymentBody = Static<typeof DeploymentBody>
