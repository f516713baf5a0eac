import type { AttributeTypes, ValueType } from '../attributes/value.ts'

export type Variety = 'CHECK' | 'QUOTA' | 'REPORT' | 'ATTRIBUTE_GENERATOR'

/** What stands in a field: an expression of one type, of any, by keys of the user's own, or more fields. */
export type Field =
  | { readonly kind: 'value'; readonly type: ValueType | undefined; readonly required?: true }
  | { readonly kind: 'map'; readonly type: ValueType | undefined }
  | { readonly kind: 'fields'; readonly fields: Fields }
export type Fields = Readonly<Record<string, Field>>

export interface Template {
  readonly name: string
  readonly variety: Variety
  readonly fields: Fields
}

const of = (type: ValueType): Field => ({ kind: 'value', type })
const needed = (type: ValueType | undefined): Field => ({ kind: 'value', type, required: true })
const mapOf = (type?: ValueType): Field => ({ kind: 'map', type })
const fields = (inner: Fields): Field => ({ kind: 'fields', fields: inner })
const strings = (...names: string[]): Fields => Object.fromEntries(names.map((name) => [name, of('STRING')]))

const monitored: Fields = { monitoredResourceType: of('STRING'), monitoredResourceDimensions: mapOf() }

/** Istio 1.4's templates; fields in camel case (istio/mixer/template/*). */
const ALL: readonly Template[] = [
  { name: 'checknothing', variety: 'CHECK', fields: {} },
  { name: 'listentry', variety: 'CHECK', fields: { value: needed('STRING') } },
  {
    name: 'apikey',
    variety: 'CHECK',
    fields: { ...strings('api', 'apiVersion', 'apiOperation', 'apiKey'), timestamp: of('TIMESTAMP') },
  },
  {
    name: 'authorization',
    variety: 'CHECK',
    fields: {
      subject: fields({ ...strings('user', 'groups'), properties: mapOf() }),
      action: fields({ ...strings('namespace', 'service', 'method', 'path'), properties: mapOf() }),
    },
  },
  { name: 'quota', variety: 'QUOTA', fields: { dimensions: mapOf() } },
  { name: 'metric', variety: 'REPORT', fields: { value: needed(undefined), dimensions: mapOf(), ...monitored } },
  {
    name: 'logentry',
    variety: 'REPORT',
    fields: { variables: mapOf(), timestamp: of('TIMESTAMP'), severity: of('STRING'), ...monitored },
  },
  {
    name: 'tracespan',
    variety: 'REPORT',
    fields: {
      ...strings('traceId', 'spanId', 'parentSpanId', 'spanName', 'sourceName', 'destinationName', 'apiProtocol'),
      startTime: of('TIMESTAMP'),
      endTime: of('TIMESTAMP'),
      spanTags: mapOf(),
      // Our own: a word of OpenTelemetry's each, before what clientSpan and httpStatusCode say.
      ...strings('spanKind', 'spanStatus'),
      httpStatusCode: of('INT64'),
      clientSpan: of('BOOL'),
      rewriteClientSpanId: of('BOOL'),
      sourceIp: of('IP_ADDRESS'),
      destinationIp: of('IP_ADDRESS'),
      requestSize: of('INT64'),
      requestTotalSize: of('INT64'),
      responseSize: of('INT64'),
      responseTotalSize: of('INT64'),
    },
  },
  {
    name: 'edge',
    variety: 'REPORT',
    fields: {
      timestamp: of('TIMESTAMP'),
      ...strings('sourceWorkloadNamespace', 'sourceWorkloadName', 'sourceOwner', 'sourceUid'),
      ...strings('destinationWorkloadNamespace', 'destinationWorkloadName', 'destinationOwner', 'destinationUid'),
      ...strings('destinationServiceNamespace', 'destinationServiceName', 'contextProtocol', 'apiProtocol'),
    },
  },
  { name: 'reportnothing', variety: 'REPORT', fields: {} },
  {
    name: 'kubernetes',
    variety: 'ATTRIBUTE_GENERATOR',
    fields: {
      sourceUid: of('STRING'),
      sourceIp: of('IP_ADDRESS'),
      destinationUid: of('STRING'),
      destinationIp: of('IP_ADDRESS'),
      destinationPort: of('INT64'),
    },
  },
]

export const TEMPLATES: ReadonlyMap<string, Template> = new Map(ALL.map((template) => [template.name, template]))

/** What the kubernetes template gives, as attribute bindings name it. */
export const KUBERNETES_OUTPUTS: AttributeTypes = new Map(
  (['source', 'destination'] as const).flatMap((side): [string, ValueType][] => [
    [`$out.${side}_pod_uid`, 'STRING'],
    [`$out.${side}_pod_ip`, 'IP_ADDRESS'],
    [`$out.${side}_host_ip`, 'IP_ADDRESS'],
    [`$out.${side}_pod_name`, 'STRING'],
    [`$out.${side}_labels`, 'STRING_MAP'],
    [`$out.${side}_namespace`, 'STRING'],
    [`$out.${side}_service_account_name`, 'STRING'],
    [`$out.${side}_owner`, 'STRING'],
    [`$out.${side}_workload_uid`, 'STRING'],
    [`$out.${side}_workload_name`, 'STRING'],
    [`$out.${side}_workload_namespace`, 'STRING'],
    [`$out.${side}_container_name`, 'STRING'],
    [`$out.${side}_service_uid`, 'STRING'],
    [`$out.${side}_service_name`, 'STRING'],
    [`$out.${side}_service_namespace`, 'STRING'],
    [`$out.${side}_service_host`, 'STRING'],
  ]),
)

/** `source_uid` as `sourceUid`: protobuf's JSON takes both. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_found, letter: string) => letter.toUpperCase())
}
