import { type Static, type TOptional, Type } from '@sinclair/typebox'
import { mapOf, message, oneOf, portNumber, strings, uint32 } from '../../../crds/schema.ts'
import { FAILURE_KINDS } from '../mesh/failure.ts'

const text = (description: string) => Type.String({ description })
const part = (description: string) => Type.Number({ minimum: 0, maximum: 1, description })
const optional = Type.Optional

const Latency = message({
  distribution: oneOf(['constant', 'uniform', 'exponential', 'lognormal']),
  mean: optional(text('of constant and exponential')),
  min: optional(text('of uniform')),
  max: optional(text('of uniform')),
  p50: optional(text('of lognormal, or of exponential in the place of the mean')),
  p99: optional(text('of lognormal')),
})
export type LatencySpec = Static<typeof Latency>

const Failure = message({
  from: optional(text('the beginning, when absent')),
  to: optional(text('the end, when absent')),
  kind: oneOf(FAILURE_KINDS),
  version: optional(text('meets endpoints of this version only')),
  endpoints: optional(Type.Integer({ minimum: 1, description: 'meets so many of them, the first ones' })),
  fraction: optional(part('meets this part of them, the first ones')),
  value: optional(Type.Number({ minimum: 0, description: 'status: the status, 503 when absent; slow: the factor' })),
  rate: optional(part('meets this part of their requests')),
})
export type FailureSpec = Static<typeof Failure>

const Request = message({
  method: optional(Type.String()),
  path: optional(Type.String()),
  headers: optional(mapOf(Type.String())),
})
export type RequestSpec = Static<typeof Request>

const Call = message({
  service: Type.String(),
  count: optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  probability: optional(part('how often it is made at all')),
  request: optional(Request),
  onFailure: optional(oneOf(['fail', 'ignore'])),
  failWith: optional(Type.Integer({ minimum: 400, maximum: 599 })),
})
export type CallSpec = Static<typeof Call>

const Version = message({
  name: Type.String(),
  replicas: uint32(),
  latency: optional(Latency),
  concurrency: optional(Type.Integer({ minimum: 1 })),
})

const Service = message({
  name: Type.String(),
  namespace: optional(Type.String()),
  port: optional(portNumber()),
  protocol: optional(oneOf(['http', 'http2'])),
  replicas: optional(uint32()),
  versions: optional(Type.Array(Version, { minItems: 1 })),
  localities: optional(strings('region/zone, dealt out to the endpoints in turn')),
  latency: optional(Latency),
  concurrency: optional(Type.Integer({ minimum: 1 })),
  queue: optional(uint32()),
  whenAbandoned: optional(oneOf(['continue', 'stop'])),
  failures: optional(Type.Array(Failure)),
  calls: optional(Type.Array(Call)),
})
export type ServiceSpec = Static<typeof Service>

const Client = message({
  name: Type.String(),
  service: Type.String(),
  namespace: optional(Type.String()),
  rate: Type.Number({ minimum: 0, description: 'requests a second' }),
  arrivals: optional(oneOf(['poisson', 'constant'])),
  from: optional(Type.String()),
  to: optional(Type.String()),
  timeout: optional(text('after which it gives a request up')),
  proxies: optional(Type.Integer({ minimum: 1 })),
  locality: optional(Type.String()),
  request: optional(Request),
})
export type ClientSpec = Static<typeof Client>

const Endpoints = message({
  service: Type.String(),
  version: optional(Type.String()),
  add: optional(uint32()),
  remove: optional(uint32()),
})

/** A path, or an object. */
const Config = Type.Array(Type.Unsafe<string | Record<string, unknown>>({}))

const Change = message({
  at: Type.String(),
  apply: optional(Config),
  delete: optional(
    Type.Array(message({ kind: Type.String(), name: Type.String(), namespace: optional(Type.String()) })),
  ),
  endpoints: optional(Type.Array(Endpoints)),
})
export type ChangeSpec = Static<typeof Change>

const Bounds = message({
  below: optional(Type.Number()),
  atMost: optional(Type.Number()),
  atLeast: optional(Type.Number()),
  above: optional(Type.Number()),
})
export type BoundsSpec = Static<typeof Bounds>

export const MEASURES = [
  'successRate',
  'offered',
  'failed',
  'amplification',
  'peakAmplification',
  'retries',
  'ejections',
  'overflows',
  'p50Ms',
  'p90Ms',
  'p99Ms',
  'p999Ms',
] as const
export type Measure = (typeof MEASURES)[number]

const Expect = message({
  client: optional(Type.String()),
  service: optional(Type.String()),
  from: optional(Type.String()),
  to: optional(Type.String()),
  ...(Object.fromEntries(MEASURES.map((name) => [name, optional(Bounds)])) as Record<
    Measure,
    TOptional<typeof Bounds>
  >),
})
export type ExpectSpec = Static<typeof Expect>

export const Scenario = message({
  seed: optional(uint32()),
  duration: Type.String(),
  networkLatency: optional(text('one way')),
  slices: optional(Type.Integer({ minimum: 1, maximum: 200 })),
  config: optional(Config),
  services: Type.Array(Service, { minItems: 1 }),
  clients: Type.Array(Client, { minItems: 1 }),
  changes: optional(Type.Array(Change)),
  expect: optional(Type.Array(Expect)),
})
export type Scenario = Static<typeof Scenario>
