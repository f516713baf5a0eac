import { type Static, Type } from '@sinclair/typebox'
import { message, portNumber, stringMap, strings } from '../schema.ts'

/** One of the three; none of them, or regex `*`, means presence where a header or query parameter is matched. */
export const StringMatch = message(
  {
    exact: Type.Optional(Type.String()),
    prefix: Type.Optional(Type.String()),
    regex: Type.Optional(Type.String({ description: 'RE2, matched against the whole text.' })),
  },
  'How a string is matched. Case sensitive.',
)
export type StringMatch = Static<typeof StringMatch>

/** `value` from 0 to 100, with fractions. */
export const Percent = message({ value: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })) })
export type Percent = Static<typeof Percent>

export const PortSelector = message({ number: Type.Optional(portNumber()) })
export type PortSelector = Static<typeof PortSelector>

export const Destination = message(
  {
    host: Type.String({ description: 'Name of a service; a name without a dot is of the namespace of the rule.' }),
    subset: Type.Optional(Type.String()),
    port: Type.Optional(PortSelector),
  },
  'The service, or the subset of it, that a call goes to.',
)
export type Destination = Static<typeof Destination>

/** Of Sidecar and ServiceEntry. */
export const WorkloadSelector = message({ labels: Type.Optional(stringMap()) })
export type WorkloadSelector = Static<typeof WorkloadSelector>

/** Of DestinationRule (istio.type.v1beta1.WorkloadSelector). */
export const MatchLabelsSelector = message({ matchLabels: Type.Optional(stringMap()) })
export type MatchLabelsSelector = Static<typeof MatchLabelsSelector>

export const exportTo = () => strings('Namespaces that see the object: "." its own, "*" all, or names.')

/** Of policies (istio.type.v1beta1.PolicyTargetReference). */
export const PolicyTargetReference = message({
  group: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  namespace: Type.Optional(Type.String()),
})
export type PolicyTargetReference = Static<typeof PolicyTargetReference>
