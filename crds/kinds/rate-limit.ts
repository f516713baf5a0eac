import { type Static, Type } from '@sinclair/typebox'
import { duration, mapOf, message, oneOf, portNumber, strings, UINT32_MAX } from '../schema.ts'
import { MatchLabelsSelector, StringMatch } from './common.ts'
import { body } from './object.ts'

const amount = (description: string) => Type.Integer({ minimum: 1, maximum: UINT32_MAX, description })

export const RateLimitKey = message(
  {
    header: Type.Optional(
      Type.String({ description: 'The value of a header; calls without it are counted together.' }),
    ),
    queryParameter: Type.Optional(Type.String({ description: 'The value of a query parameter, as it is written.' })),
    sourceIP: Type.Optional(Type.Boolean({ description: 'The address of the client, as far as it is known.' })),
    peer: Type.Optional(Type.Boolean({ description: 'The identity of the caller, proven by its certificate.' })),
    path: Type.Optional(Type.Boolean({ description: 'The path, without its query.' })),
  },
  'One of these.',
)
export type RateLimitKey = Static<typeof RateLimitKey>

export const RateLimitMatch = message(
  {
    paths: Type.Optional(strings('Whole paths, or with a * at the end the beginnings of paths.')),
    methods: Type.Optional(strings()),
    headers: Type.Optional(mapOf(StringMatch, 'All of these.')),
  },
  'Which calls count; all where nothing is said.',
)
export type RateLimitMatch = Static<typeof RateLimitMatch>

export const RequestLimit = message({
  requests: amount('So many requests, in the long run.'),
  per: duration('In so much time; at least 50ms.'),
  burst: Type.Optional(amount('So many at once, after a time without any. As many as `requests` by default.')),
  by: Type.Optional(
    Type.Array(RateLimitKey, { description: 'Callers that differ in any of these are counted each for itself.' }),
  ),
  match: Type.Optional(RateLimitMatch),
  port: Type.Optional(portNumber()),
  direction: Type.Optional(
    oneOf(['INBOUND', 'OUTBOUND'], {
      description: 'What comes to the workload, or what it sends. INBOUND by default.',
    }),
  ),
  dryRun: Type.Optional(Type.Boolean({ description: 'Counts what would be refused, and refuses nothing.' })),
})
export type RequestLimit = Static<typeof RequestLimit>

export const RateLimitSpec = message(
  {
    selector: Type.Optional(MatchLabelsSelector),
    limits: Type.Array(RequestLimit, {
      minItems: 1,
      description: 'Each counts for itself; the first that is reached refuses.',
    }),
  },
  'How many requests a workload takes or sends.',
)
export type RateLimitSpec = Static<typeof RateLimitSpec>

export const RateLimitBody = body(RateLimitSpec)
export type RateLimitBody = Static<typeof RateLimitBody>
