import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  RateLimitResponse_Code as Code,
  type RateLimitResponse,
  RateLimitResponseSchema,
  type RateLimitResponse_DescriptorStatusSchema as StatusSchema,
  RateLimitResponse_RateLimit_Unit as Unit,
} from '../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import type { QuotaAnswer } from '../rules/dispatcher.ts'
import { type Grant, QUOTA_METADATA } from './quota-grant.ts'

/** Windows that the protocol has a word for. */
const UNITS: ReadonlyMap<number, Unit> = new Map([
  [1000, Unit.SECOND],
  [60_000, Unit.MINUTE],
  [3_600_000, Unit.HOUR],
  [86_400_000, Unit.DAY],
])
const UINT32_MAX = 4_294_967_295

/** One status for each descriptor; over the limit when one of them is. `grant` is told to proxies that have asked for one. */
export function rateLimitResponse(answers: readonly QuotaAnswer[], grant?: Grant): RateLimitResponse {
  const isOver = answers.some(({ granted }) => !granted)
  return create(RateLimitResponseSchema, {
    overallCode: isOver ? Code.OVER_LIMIT : Code.OK,
    statuses: answers.map(statusOf),
    ...(grant !== undefined && { dynamicMetadata: { [QUOTA_METADATA]: { ...grant } } }),
  })
}

function statusOf({ granted, tightest }: QuotaAnswer): MessageInitShape<typeof StatusSchema> {
  const code = granted ? Code.OK : Code.OVER_LIMIT
  if (tightest === undefined) return { code }
  const { maxAmount, remaining, resetMs, validDurationMs } = tightest
  const unit = UNITS.get(validDurationMs)
  const seconds = Math.floor(resetMs / 1000)
  return {
    code,
    limitRemaining: Math.min(remaining, UINT32_MAX),
    durationUntilReset: { seconds: BigInt(seconds), nanos: Math.round((resetMs - seconds * 1000) * 1e6) },
    ...(unit !== undefined && { currentLimit: { requestsPerUnit: Math.min(maxAmount, UINT32_MAX), unit } }),
  }
}
