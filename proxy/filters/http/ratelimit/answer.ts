import { fromBinary, type JsonObject } from '@bufbuild/protobuf'
import {
  RateLimitResponse_Code as Code,
  type RateLimitResponse,
  RateLimitResponseSchema,
  type RateLimitResponse_DescriptorStatus as Status,
  RateLimitResponse_RateLimit_Unit as Unit,
} from '../../../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import type { FieldChange } from '../../../decide/field-change.ts'
import type { SideResult } from '../../../stream/side-call.ts'
import { grpcMessage } from '../../grpc-call.ts'
import { fieldChange } from '../ext-authz/result.ts'

/** What a server has said of a call. */
export type LimitResult = LimitAnswer | { readonly kind: 'error' }

export interface LimitAnswer {
  readonly kind: 'ok' | 'over_limit'
  /** All to be appended. */
  readonly requestFields: readonly FieldChange[]
  readonly responseFields: readonly FieldChange[]
  readonly saysContentType: boolean
  /** X-RateLimit-*; empty where no limit is told. */
  readonly limitFields: readonly FieldChange[]
  readonly body: Buffer | undefined
  readonly metadata: JsonObject | undefined
}

/** Everything that is no answer is an error; UNKNOWN is OK, as in Envoy. */
export function readLimitAnswer(result: SideResult): LimitResult {
  const message = grpcMessage(result)
  if (message === undefined) return { kind: 'error' }
  let response: RateLimitResponse
  try {
    response = fromBinary(RateLimitResponseSchema, message)
  } catch {
    return { kind: 'error' }
  }
  const responseFields = appended(response.responseHeadersToAdd)
  return {
    kind: response.overallCode === Code.OVER_LIMIT ? 'over_limit' : 'ok',
    requestFields: appended(response.requestHeadersToAdd),
    responseFields,
    saysContentType: responseFields.some(({ name }) => name === 'content-type'),
    limitFields: limitFields(response.statuses),
    body: response.rawBody.length === 0 ? undefined : Buffer.from(response.rawBody),
    metadata: response.dynamicMetadata,
  }
}

function appended(fields: readonly { key: string; value: string }[]): FieldChange[] {
  return fields.flatMap(({ key, value }) => fieldChange(key, value, 'append') ?? [])
}

/** By the number of the unit; WEEK is newer than the others. */
const SECONDS: Readonly<Record<number, number>> = {
  [Unit.SECOND]: 1,
  [Unit.MINUTE]: 60,
  [Unit.HOUR]: 3600,
  [Unit.DAY]: 86_400,
  [Unit.MONTH]: 2_592_000,
  [Unit.YEAR]: 31_536_000,
  7: 604_800,
}

/** Of the limit that has the least left; all limits stand behind it as policies (draft-ietf-httpapi-ratelimit-headers-03). */
function limitFields(statuses: readonly Status[]): FieldChange[] {
  let tightest: Status | undefined
  let policies = ''
  for (const status of statuses) {
    const limit = status.currentLimit
    if (limit === undefined) continue
    if (tightest === undefined || status.limitRemaining < tightest.limitRemaining) tightest = status
    const windowS = SECONDS[limit.unit] ?? 0
    if (windowS === 0) continue
    policies += `, ${limit.requestsPerUnit};w=${windowS}`
    if (limit.name !== '') policies += `;name="${limit.name}"`
  }
  if (tightest === undefined) return []
  return [
    { name: 'x-ratelimit-limit', value: `${tightest.currentLimit?.requestsPerUnit}${policies}`, action: 'append' },
    { name: 'x-ratelimit-remaining', value: String(tightest.limitRemaining), action: 'append' },
    { name: 'x-ratelimit-reset', value: String(tightest.durationUntilReset?.seconds ?? 0n), action: 'append' },
  ]
}
