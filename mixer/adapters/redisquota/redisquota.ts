import { createHash } from 'node:crypto'
import { type Static, Type } from '@sinclair/typebox'
import { int32, message, unsupported } from '../../../crds/schema.ts'
import { checkLimits, dimensionsOf, type Limit, Limits, QuotaLimit, quotaKey } from '../../quota/limits.ts'
import type { Adapter, Handler, HandlerEnvironment, Instance, QuotaAsk, QuotaResult } from '../adapter.ts'
import { RedisConnection } from './connection.ts'

const Params = message({
  redisServerUrl: Type.Optional(Type.String({ description: 'host:port, or redis://... (localhost:6379)' })),
  connectionPoolSize: unsupported(
    Type.Optional(int32()),
    'commands of all calls follow each other over one connection',
  ),
  quotas: Type.Optional(Type.Array(QuotaLimit)),
})
type Params = Static<typeof Params>

/** Who asks again within this time with the same id is charged once. */
const REMEMBER_MS = 1_000
/** Of a rolling window whose buckets nobody chose. */
const BUCKETS = 10
/** More would make the script slow. */
const MAX_BUCKETS = 1_000

/** Counts in Redis, for any number of mixers together. What it counts is lost with Redis' data: a window's amounts at most. */
export const redisquota: Adapter<Params> = {
  name: 'redisquota',
  templates: ['quota'],
  params: Params,

  validate({ quotas = [] }, error) {
    checkLimits(quotas, error)
    const limits = new Limits(quotas, 'FIXED_WINDOW')
    quotas.forEach((quota, i) => {
      const limit = limits.find({ key: quota.name, name: '', template: 'quota', values: {} }, {})
      if (limit === undefined || limit.windowMs === 0) {
        error(['quotas', i, 'validDuration'], 'must be longer than 0: nothing is given back')
      } else if (limit.windowMs / bucketOf(limit) > MAX_BUCKETS) {
        error(['quotas', i, 'bucketDuration'], `at most ${MAX_BUCKETS} buckets`)
      }
    })
  },

  open: (params, environment) => new RedisQuota(params, environment),
}

/** Infinity for a fixed window. */
function bucketOf({ algorithm, windowMs, bucketMs }: Limit): number {
  if (algorithm === 'FIXED_WINDOW') return Number.POSITIVE_INFINITY
  return bucketMs === 0 ? Math.max(1, Math.ceil(windowMs / BUCKETS)) : bucketMs
}

class RedisQuota implements Handler {
  readonly #limits: Limits
  readonly #connection: RedisConnection

  constructor({ redisServerUrl = 'localhost:6379', quotas = [] }: Params, environment: HandlerEnvironment) {
    this.#limits = new Limits(quotas, 'FIXED_WINDOW')
    this.#connection = new RedisConnection(redisServerUrl, environment)
  }

  async quota(instance: Instance, { amount, bestEffort, deduplicationId }: QuotaAsk): Promise<QuotaResult> {
    const dimensions = dimensionsOf(instance)
    const limit = this.#limits.find(instance, dimensions)
    if (limit === undefined) throw new Error(`no quota is named ${instance.key}`)
    const bucketMs = bucketOf(limit)
    // The braces keep both keys together in a cluster. Dimensions may be as long as callers like.
    const name = `{${instance.key}:${digest(quotaKey(instance, dimensions))}}`
    const isFixed = !Number.isFinite(bucketMs)
    const count = `lateen:quota:${name}:${isFixed ? 'fixed' : bucketMs}:${limit.windowMs}`
    const asker = deduplicationId === '' ? count : `lateen:asked:${name}:${digest(deduplicationId)}`
    const [granted, used, resetMs] = await this.#connection.take(
      [count, asker],
      [
        String(amount),
        bestEffort ? '1' : '0',
        String(limit.maxAmount),
        String(Math.ceil(limit.windowMs)),
        isFixed ? '0' : String(bucketMs),
        String(deduplicationId === '' ? 0 : REMEMBER_MS),
      ],
    )
    return {
      granted,
      validDurationMs: limit.windowMs,
      maxAmount: limit.maxAmount,
      remaining: Math.max(0, limit.maxAmount - used),
      resetMs,
    }
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 24)
}
