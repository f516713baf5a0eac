import { type Static, Type } from '@sinclair/typebox'
import { durationOrZero, mapOf, message, oneOf, partial, stringMap, strings, uint32, unsupported } from '../schema.ts'
import { StringMatch } from './common.ts'
import { body } from './object.ts'

/** The kinds of config.istio.io/v1alpha2: what the mixer is told (Istio 1.4, istio.policy.v1beta1). */

export const VALUE_TYPES = [
  'STRING',
  'INT64',
  'DOUBLE',
  'BOOL',
  'TIMESTAMP',
  'IP_ADDRESS',
  'EMAIL_ADDRESS',
  'URI',
  'DNS_NAME',
  'DURATION',
  'STRING_MAP',
] as const
export type ValueType = (typeof VALUE_TYPES)[number]

export const AttributeManifestSpec = message(
  {
    revision: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    attributes: Type.Optional(
      mapOf(
        message({ valueType: oneOf(VALUE_TYPES), description: Type.Optional(Type.String()) }),
        'By name, such as request.path.',
      ),
    ),
  },
  'Attributes that expressions may speak of, beside those that are always known.',
)
export type AttributeManifestSpec = Static<typeof AttributeManifestSpec>
export const AttributeManifestBody = body(AttributeManifestSpec)
export type AttributeManifestBody = Static<typeof AttributeManifestBody>

const OUT_OF_PROCESS = 'adapters run within the mixer; one of your own is asked by the adapter webhook'

export const HandlerSpec = message(
  {
    compiledAdapter: Type.Optional(Type.String({ description: 'Name of the adapter, such as denier.' })),
    adapter: unsupported(Type.Optional(Type.String()), OUT_OF_PROCESS),
    connection: unsupported(Type.Optional(partial({})), OUT_OF_PROCESS),
    params: Type.Optional(partial({})),
  },
  'An adapter with its parameters.',
)
export type HandlerSpec = Static<typeof HandlerSpec>
export const HandlerBody = body(HandlerSpec)
export type HandlerBody = Static<typeof HandlerBody>

export const InstanceSpec = message(
  {
    compiledTemplate: Type.Optional(Type.String({ description: 'Name of the template, such as metric.' })),
    template: Type.Optional(Type.String({ description: 'The same, as newer configuration writes it.' })),
    params: Type.Optional(partial({})),
    attributeBindings: Type.Optional(
      stringMap('Attributes that are made of what an adapter gives, written $out.name.'),
    ),
  },
  'What a handler is told of a call: each field is an expression over attributes.',
)
export type InstanceSpec = Static<typeof InstanceSpec>
export const InstanceBody = body(InstanceSpec)
export type InstanceBody = Static<typeof InstanceBody>

export const Action = message({
  handler: Type.String(),
  instances: Type.Optional(strings()),
  name: Type.Optional(Type.String({ description: 'Under which header operations find what the handler gives.' })),
})
export type Action = Static<typeof Action>

export const HeaderOperation = message({
  name: Type.String(),
  values: Type.Optional(strings('Expressions.')),
  operation: Type.Optional(oneOf(['REPLACE', 'REMOVE', 'APPEND'])),
})
export type HeaderOperation = Static<typeof HeaderOperation>

export const FractionalPercent = message({
  numerator: Type.Optional(uint32()),
  denominator: Type.Optional(oneOf(['HUNDRED', 'TEN_THOUSAND'])),
})

export const Sampling = message(
  {
    random: Type.Optional(
      message({
        attributeExpression: Type.Optional(Type.String()),
        percentSampled: Type.Optional(FractionalPercent),
        useIndependentRandomness: Type.Optional(Type.Boolean()),
      }),
    ),
    rateLimit: Type.Optional(
      message({
        samplingDuration: Type.Optional(durationOrZero()),
        maxUnsampledEntries: Type.Optional(Type.Integer({ minimum: 0 })),
        samplingRate: Type.Optional(Type.Integer({ minimum: 0 })),
      }),
    ),
  },
  'Which reports are handed on.',
)
export type Sampling = Static<typeof Sampling>

export const RuleSpec = message(
  {
    match: Type.Optional(Type.String({ description: 'An expression of type BOOL; empty holds for every call.' })),
    actions: Type.Optional(Type.Array(Action)),
    requestHeaderOperations: Type.Optional(Type.Array(HeaderOperation)),
    responseHeaderOperations: Type.Optional(Type.Array(HeaderOperation)),
    sampling: Type.Optional(Sampling),
  },
  'Which handlers are told of a call.',
)
export type RuleSpec = Static<typeof RuleSpec>
export const RuleBody = body(RuleSpec)
export type RuleBody = Static<typeof RuleBody>

export const QuotaSpecSpec = message(
  {
    rules: Type.Optional(
      Type.Array(
        message({
          match: Type.Optional(Type.Array(message({ clause: Type.Optional(mapOf(StringMatch)) }))),
          quotas: Type.Optional(
            Type.Array(
              message({
                quota: Type.String(),
                charge: Type.Optional(Type.Integer({ minimum: 0 })),
              }),
            ),
          ),
        }),
      ),
    ),
  },
  'Which quotas a call is charged to. All rules that match charge.',
)
export type QuotaSpecSpec = Static<typeof QuotaSpecSpec>
export const QuotaSpecBody = body(QuotaSpecSpec)
export type QuotaSpecBody = Static<typeof QuotaSpecBody>

export const IstioService = message({
  name: Type.Optional(Type.String()),
  namespace: Type.Optional(Type.String()),
  domain: Type.Optional(Type.String()),
  service: Type.Optional(Type.String({ description: 'The full name; * means every service.' })),
  labels: Type.Optional(stringMap('Of the workload that is called.')),
})
export type IstioService = Static<typeof IstioService>

export const QuotaSpecBindingSpec = message(
  {
    services: Type.Optional(Type.Array(IstioService)),
    quotaSpecs: Type.Optional(Type.Array(message({ name: Type.String(), namespace: Type.Optional(Type.String()) }))),
  },
  'Which services QuotaSpecs hold for.',
)
export type QuotaSpecBindingSpec = Static<typeof QuotaSpecBindingSpec>
export const QuotaSpecBindingBody = body(QuotaSpecBindingSpec)
export type QuotaSpecBindingBody = Static<typeof QuotaSpecBindingBody>

/** The spec is what `params` is in a handler or an instance. */
export const TypedBody = body(partial({}))
export type TypedBody = Static<typeof TypedBody>

/** Kind -> its plural. The kind is the name of the adapter. */
export const TYPED_HANDLERS = {
  denier: 'deniers',
  kubernetesenv: 'kubernetesenvs',
  listchecker: 'listcheckers',
  memquota: 'memquotas',
  noop: 'noops',
  prometheus: 'prometheuses',
  redisquota: 'redisquotas',
  statsd: 'statsds',
  stdio: 'stdios',
} as const

/** Kind -> its plural. The kind is the name of the template. */
export const TYPED_INSTANCES = {
  apikey: 'apikeys',
  authorization: 'authorizations',
  checknothing: 'checknothings',
  edge: 'edges',
  kubernetes: 'kuberneteses',
  listentry: 'listentries',
  logentry: 'logentries',
  metric: 'metrics',
  quota: 'quotas',
  reportnothing: 'reportnothings',
  tracespan: 'tracespans',
} as const
