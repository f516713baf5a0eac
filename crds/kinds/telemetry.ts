import { type Static, Type } from '@sinclair/typebox'
import { duration, mapOf, message, oneOf, unsupported } from '../schema.ts'
import { MatchLabelsSelector, PolicyTargetReference } from './common.ts'
import { body } from './object.ts'

/** The enums and messages of istio.telemetry.v1 (istio.io/latest/docs/reference/config/telemetry). */
export const WORKLOAD_MODES = ['CLIENT_AND_SERVER', 'CLIENT', 'SERVER'] as const
export type WorkloadMode = (typeof WORKLOAD_MODES)[number]

export const ISTIO_METRICS = [
  'ALL_METRICS',
  'REQUEST_COUNT',
  'REQUEST_DURATION',
  'REQUEST_SIZE',
  'RESPONSE_SIZE',
  'TCP_OPENED_CONNECTIONS',
  'TCP_CLOSED_CONNECTIONS',
  'TCP_SENT_BYTES',
  'TCP_RECEIVED_BYTES',
  'GRPC_REQUEST_MESSAGES',
  'GRPC_RESPONSE_MESSAGES',
] as const

const mode = () => Type.Optional(oneOf(WORKLOAD_MODES, { description: 'Calls that come, that leave, or both.' }))

const providers = () =>
  Type.Optional(
    Type.Array(message({ name: Type.String() }), { description: 'By their names in the configuration of the mesh.' }),
  )

export const CustomTag = message(
  {
    literal: Type.Optional(message({ value: Type.String() })),
    environment: Type.Optional(message({ name: Type.String(), defaultValue: Type.Optional(Type.String()) })),
    header: Type.Optional(message({ name: Type.String(), defaultValue: Type.Optional(Type.String()) })),
    formatter: Type.Optional(message({ value: Type.String() }, 'Written with the operators of access logs.')),
  },
  'One of these.',
)
export type CustomTag = Static<typeof CustomTag>

export const Tracing = message({
  match: Type.Optional(message({ mode: mode() })),
  providers: providers(),
  randomSamplingPercentage: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
  disableSpanReporting: Type.Optional(Type.Boolean({ description: 'Contexts are passed on all the same.' })),
  customTags: Type.Optional(mapOf(CustomTag)),
  useRequestIdForTraceSampling: Type.Optional(Type.Boolean()),
  enableIstioTags: Type.Optional(Type.Boolean()),
  disableContextPropagation: Type.Optional(unsupported(Type.Boolean(), 'contexts are always passed on')),
})
export type Tracing = Static<typeof Tracing>

export const TagOverride = message({
  operation: Type.Optional(oneOf(['UPSERT', 'REMOVE'])),
  value: Type.Optional(Type.String({ description: 'A CEL expression.' })),
})
export type TagOverride = Static<typeof TagOverride>

export const MetricsOverride = message({
  match: Type.Optional(
    message({
      metric: Type.Optional(oneOf(ISTIO_METRICS)),
      customMetric: Type.Optional(Type.String()),
      mode: mode(),
    }),
  ),
  disabled: Type.Optional(Type.Boolean()),
  tagOverrides: Type.Optional(mapOf(TagOverride)),
})
export type MetricsOverride = Static<typeof MetricsOverride>

export const Metrics = message({
  providers: providers(),
  overrides: Type.Optional(Type.Array(MetricsOverride)),
  reportingInterval: Type.Optional(duration('How often open TCP connections are reported; 5 s when absent.')),
})
export type Metrics = Static<typeof Metrics>

export const AccessLogging = message({
  match: Type.Optional(message({ mode: mode() })),
  providers: providers(),
  disabled: Type.Optional(Type.Boolean()),
  filter: Type.Optional(message({ expression: Type.Optional(Type.String({ description: 'A CEL expression.' })) })),
})
export type AccessLogging = Static<typeof AccessLogging>

export const TelemetrySpec = message(
  {
    selector: Type.Optional(MatchLabelsSelector),
    targetRef: Type.Optional(
      unsupported(PolicyTargetReference, 'gateways of the Gateway API and waypoints are not supported'),
    ),
    targetRefs: Type.Optional(
      unsupported(Type.Array(PolicyTargetReference), 'gateways of the Gateway API and waypoints are not supported'),
    ),
    tracing: Type.Optional(Type.Array(Tracing)),
    metrics: Type.Optional(Type.Array(Metrics)),
    accessLogging: Type.Optional(Type.Array(AccessLogging)),
  },
  'What is told of the calls of workloads, and to whom.',
)
export type TelemetrySpec = Static<typeof TelemetrySpec>

export const TelemetryBody = body(TelemetrySpec)
export type TelemetryBody = Static<typeof TelemetryBody>
