import { fromBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { HeaderValueOption_HeaderAppendAction as Action } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { CheckResponseSchema } from '../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import {
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
} from '../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import { References } from '../attributes/references.ts'
import type { CheckAnswer } from '../rules/dispatcher.ts'
import { CheckEncoder, checkResponse } from './check-answer.ts'
import { rateLimitResponse } from './rate-limit-answer.ts'

function answer(more: Partial<CheckAnswer> = {}): CheckAnswer {
  const references = new References()
  references.add('source.ip', undefined, true)
  references.add('request.headers', 'b', false)
  references.add('request.headers', 'a', false)
  return {
    code: 0,
    message: '',
    validDurationMs: 5,
    validUseCount: 6,
    references,
    requestChanges: [],
    responseChanges: [],
    problem: '',
    ...more,
  }
}

test('what changes headers, in both answers', () => {
  const changes = [
    { operation: 'REPLACE', name: 'a', value: '1' },
    { operation: 'APPEND', name: 'b', value: '2' },
    { operation: 'REMOVE', name: 'c', value: '' },
  ] as const
  const replaced = { header: { key: 'a', value: '1' }, appendAction: Action.OVERWRITE_IF_EXISTS_OR_ADD }
  const appended = { header: { key: 'b', value: '2' }, appendAction: Action.APPEND_IF_EXISTS_OR_ADD }
  expect(checkResponse(answer({ requestChanges: changes, responseChanges: changes })).httpResponse.value).toMatchObject(
    {
      headers: [replaced, appended],
      headersToRemove: ['c'],
      responseHeadersToAdd: [replaced, appended],
    },
  )
  const denied = checkResponse(
    answer({ code: 16, message: 'h.ns:why', requestChanges: changes, responseChanges: changes }),
  )
  expect(denied.httpResponse.value).toMatchObject({
    status: { code: 401 },
    headers: [replaced, appended],
    body: 'UNAUTHENTICATED:h.ns:why',
  })
})

test.each([
  [5, 404],
  [7, 403],
  [8, 429],
  [9, 400],
  [99, 500],
])('code %i is status %i', (code, status) => {
  expect(checkResponse(answer({ code })).httpResponse.value).toMatchObject({ status: { code: status } })
})

test('an answer that is kept is the one that would be made', () => {
  const encoder = new CheckEncoder()
  const read = (one: CheckAnswer) => fromBinary(CheckResponseSchema, encoder.encode(one))
  const answers = [
    answer(),
    answer({ code: 7, message: 'x' }),
    answer({ validUseCount: 1 }),
    answer({ validDurationMs: 1 }),
  ]
  const other = new References()
  other.add('source.ip', undefined, false)
  answers.push(answer({ references: other }))
  for (let round = 0; round < 2; round++) for (const one of answers) expect(read(one)).toEqual(checkResponse(one))
  expect(encoder.encode(answer())).toBe(encoder.encode(answer()))
  expect(read(answer()).dynamicMetadata).toEqual({
    'lateen.mesh/check': {
      validDurationMs: 5,
      validUseCount: 6,
      present: ['source.ip'],
      absent: ['request.headers[a]', 'request.headers[b]'],
    },
  })
})

test('a limit, in words that the protocol has', () => {
  const references = new References()
  const result = { granted: 1, validDurationMs: 60_000, maxAmount: 10, remaining: 3, resetMs: 1500 }
  const { overallCode, statuses } = rateLimitResponse([
    { granted: true, tightest: result, references, problem: '' },
    { granted: false, tightest: { ...result, validDurationMs: 5000, remaining: 0 }, references, problem: '' },
    { granted: true, tightest: undefined, references, problem: '' },
  ])
  expect(overallCode).toBe(Code.OVER_LIMIT)
  expect(statuses).toMatchObject([
    {
      code: Code.OK,
      limitRemaining: 3,
      durationUntilReset: { seconds: 1n, nanos: 500_000_000 },
      currentLimit: { requestsPerUnit: 10, unit: Unit.MINUTE },
    },
    { code: Code.OVER_LIMIT, limitRemaining: 0 },
    { code: Code.OK },
  ])
  expect(statuses[1]?.currentLimit).toBeUndefined()
})
