import type { TokenBucket } from '../../api/gen/envoy/type/v3/token_bucket_pb.js'
import { durationMs } from '../plan/compile/common.ts'
import { resourceBeingCompiled } from '../plan/compile/resource-name.ts'
import { refuse } from '../plan/plan-error.ts'

/** A bucket as it is configured. It begins full, and fills evenly: one token each `tokenMs`. */
export interface TokenBucketPlan {
  /** The same in every thread, and for as long as the resource that has the bucket says the same of it. */
  readonly id: string
  readonly maxTokens: number
  readonly tokenMs: number
  /** How many buckets of one value each a thread remembers the places of; 0 where there is one bucket only. */
  readonly maxValues: number
}

/** Where tokens are taken. Comes with a call, as its clock and dice do: who only wants to know takes none. */
export interface TokenSource {
  /**
   * Takes a token. False: there was none, and none is taken. `value` tells apart the buckets of a plan that has one for each
   * value; with `connection` the bucket is that connection's own.
   */
  take(bucket: TokenBucketPlan, value: string, connection: object | undefined): boolean
  /** Whole tokens that the last take() has left, and how long until there is one: 0 where there is. */
  readonly remaining: number
  readonly resetMs: number
}

/** Envoy's. */
const MIN_FILL_INTERVAL_MS = 50

/** envoy.type.v3.TokenBucket. `path` is that of the bucket. */
export function compileTokenBucket(
  bucket: TokenBucket,
  path: string,
  identity: string,
  maxValues = 0,
): TokenBucketPlan {
  const { maxTokens, fillInterval } = bucket
  const tokensPerFill = bucket.tokensPerFill ?? 1
  const intervalMs = durationMs(fillInterval, 0)
  if (maxTokens < 1) refuse(`${path}.max_tokens`, 'at least 1')
  if (tokensPerFill < 1) refuse(`${path}.tokens_per_fill`, 'at least 1')
  if (intervalMs < MIN_FILL_INTERVAL_MS) refuse(`${path}.fill_interval`, `at least ${MIN_FILL_INTERVAL_MS} ms`)
  const tokenMs = intervalMs / tokensPerFill
  const id = [resourceBeingCompiled(), path, identity, maxTokens, tokenMs].join('\0')
  return { id, maxTokens, tokenMs, maxValues }
}
