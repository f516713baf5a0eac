import { type Static, Type } from '@sinclair/typebox'
import type { FieldPath } from '../../config/object.ts'
import { parseDurationMs } from '../../crds/duration.ts'
import { durationOrZero, message, oneOf, stringMap } from '../../crds/schema.ts'
import type { Instance } from '../adapters/adapter.ts'
import type { Value } from '../attributes/value.ts'

const amount = () => Type.Integer({ minimum: 0 })
export const Algorithm = oneOf(['ROLLING_WINDOW', 'FIXED_WINDOW'])
export type Algorithm = 'ROLLING_WINDOW' | 'FIXED_WINDOW'

/** A limit, as memquota and redisquota are given it. */
export const QuotaLimit = message({
  name: Type.String({ description: 'Of the instance: name.kind.namespace.' }),
  maxAmount: Type.Optional(amount()),
  validDuration: Type.Optional(durationOrZero('0: what is taken never comes back.')),
  bucketDuration: Type.Optional(durationOrZero('Of the steps in which a rolling window moves.')),
  rateLimitAlgorithm: Type.Optional(Algorithm),
  overrides: Type.Optional(
    Type.Array(
      message({
        dimensions: Type.Optional(stringMap('Those that must be equal; the first override whose are counts.')),
        maxAmount: Type.Optional(amount()),
        validDuration: Type.Optional(durationOrZero()),
      }),
    ),
  ),
})
export type QuotaLimit = Static<typeof QuotaLimit>

export interface Limit {
  readonly maxAmount: number
  /** 0: without end. */
  readonly windowMs: number
  /** 0 where the adapter chooses. */
  readonly bucketMs: number
  readonly algorithm: Algorithm
}

/** Limits by the key of their instance. */
export class Limits {
  readonly #byKey = new Map<string, (dimensions: Readonly<Record<string, string>>) => Limit>()

  constructor(quotas: readonly QuotaLimit[], algorithm: Algorithm) {
    for (const quota of quotas) {
      const base = limitOf(quota, quota, algorithm)
      const overrides = (quota.overrides ?? []).map((override) => ({
        dimensions: Object.entries(override.dimensions ?? {}),
        limit: limitOf(override, quota, algorithm),
      }))
      this.#byKey.set(quota.name, (dimensions) => {
        const found = overrides.find((override) =>
          override.dimensions.every(([name, value]) => dimensions[name] === value),
        )
        return found?.limit ?? base
      })
    }
  }

  /** undefined when nothing is said of that quota. */
  find(instance: Instance, dimensions: Readonly<Record<string, string>>): Limit | undefined {
    return this.#byKey.get(instance.key)?.(dimensions)
  }
}

function limitOf(
  { maxAmount = 0, validDuration = '0s' }: { maxAmount?: number; validDuration?: string },
  { bucketDuration = '0s', rateLimitAlgorithm }: QuotaLimit,
  algorithm: Algorithm,
): Limit {
  return {
    maxAmount,
    windowMs: parseDurationMs(validDuration) ?? 0,
    bucketMs: parseDurationMs(bucketDuration) ?? 0,
    algorithm: rateLimitAlgorithm ?? algorithm,
  }
}

/** Of both adapters. */
export function checkLimits(quotas: readonly QuotaLimit[], error: (path: FieldPath, text: string) => void): void {
  const seen = new Set<string>()
  quotas.forEach((quota, i) => {
    if (seen.has(quota.name)) error(['quotas', i, 'name'], `"${quota.name}" is there twice`)
    seen.add(quota.name)
    const windowMs = parseDurationMs(quota.validDuration ?? '0s') ?? 0
    const bucketMs = parseDurationMs(quota.bucketDuration ?? '0s') ?? 0
    if (bucketMs > 0 && windowMs > 0 && bucketMs >= windowMs) {
      error(['quotas', i, 'bucketDuration'], 'must be shorter than validDuration')
    }
    quota.overrides?.forEach(({ dimensions }, at) => {
      if (Object.keys(dimensions ?? {}).length === 0) {
        error(['quotas', i, 'overrides', at, 'dimensions'], 'must name at least one dimension')
      }
    })
  })
}

/** The dimensions of a quota as text. */
export function dimensionsOf(instance: Instance): Record<string, string> {
  const dimensions: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries((instance.values.dimensions ?? {}) as Record<string, Value>)) {
    dimensions[name] = typeof value === 'object' ? JSON.stringify(value) : String(value)
  }
  return dimensions
}

/** One text for a quota with its dimensions, whatever their order. */
export function quotaKey(instance: Instance, dimensions: Readonly<Record<string, string>>): string {
  const parts = Object.keys(dimensions)
    .sort()
    .map((name) => `${name}=${dimensions[name]}`)
  return JSON.stringify([instance.key, ...parts])
}
