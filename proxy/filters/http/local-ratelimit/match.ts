import type { Call } from '../../../decide/call.ts'
import type { Decision } from '../../../decide/decision.ts'
import { Descriptor, type RateLimitPlan, takesHostLimits } from '../../../limits/rate-limit.ts'
import type { DescriptorPlan, LocalRateLimitConfig } from './config.ts'

const NONE: readonly RateLimitPlan[] = []

/** One for all calls of the thread. */
const asked = new Descriptor()

/** The descriptors that a call is under, the slowest to fill first, each with the value of its bucket. One list, used again. */
export class MatchedLimits {
  readonly limits: DescriptorPlan[] = []
  readonly values: string[] = []
  /** How many of the lists count. */
  length = 0

  find(config: LocalRateLimitConfig, call: Call, decision: Decision): void {
    this.length = 0
    if (config.descriptors.length === 0) return
    if (config.rateLimits !== undefined) {
      this.#addAll(config.rateLimits, 0, config, call, decision)
      return
    }
    const { route, virtualHost } = decision
    const action = route?.action
    if (action?.kind !== 'forward') return
    this.#addAll(action.rateLimits, config.stage, config, call, decision)
    const takesHost = takesHostLimits(config.virtualHostLimits, action.rateLimits)
    if (takesHost) this.#addAll(virtualHost?.rateLimits ?? NONE, config.stage, config, call, decision)
  }

  #addAll(
    limits: readonly RateLimitPlan[],
    stage: number,
    config: LocalRateLimitConfig,
    call: Call,
    decision: Decision,
  ): void {
    for (let i = 0; i < limits.length; i++) {
      const limit = limits[i] as RateLimitPlan
      if (limit.stage !== stage || !asked.fill(limit, call, decision)) continue
      const found = descriptorOf(config.descriptors)
      if (found !== undefined) this.#insert(found, found.isWild ? valueOfBucket() : '')
    }
  }

  /** In the order of Envoy: that whose bucket fills the slowest first. */
  #insert(limit: DescriptorPlan, value: string): void {
    const { limits, values } = this
    let at = this.length++
    for (; at > 0 && (limits[at - 1] as DescriptorPlan).bucket.tokenMs < limit.bucket.tokenMs; at--) {
      limits[at] = limits[at - 1] as DescriptorPlan
      values[at] = values[at - 1] as string
    }
    limits[at] = limit
    values[at] = value
  }
}

/** What tells apart the buckets of a descriptor with wildcards. */
function valueOfBucket(): string {
  const { values, length } = asked
  let text = values[0] as string
  for (let i = 1; i < length; i++) text += `\0${values[i]}`
  return text
}

/** The one whose entries are those that are asked for, in number and order. */
function descriptorOf(descriptors: readonly DescriptorPlan[]): DescriptorPlan | undefined {
  for (let i = 0; i < descriptors.length; i++) {
    const descriptor = descriptors[i] as DescriptorPlan
    if (isMet(descriptor)) return descriptor
  }
  return undefined
}

function isMet({ keys, values }: DescriptorPlan): boolean {
  const { length } = keys
  if (length !== asked.length) return false
  for (let i = 0; i < length; i++) {
    if (keys[i] !== asked.keys[i] || (values[i] !== '' && values[i] !== asked.values[i])) return false
  }
  return true
}
