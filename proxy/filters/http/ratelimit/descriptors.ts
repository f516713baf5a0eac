import { create } from '@bufbuild/protobuf'
import {
  type RateLimitDescriptor,
  RateLimitDescriptorSchema,
} from '../../../../api/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.js'
import type { Call } from '../../../decide/call.ts'
import type { Decision } from '../../../decide/decision.ts'
import { Descriptor, type RateLimitPlan, takesHostLimits, type VirtualHostLimits } from '../../../limits/rate-limit.ts'

/** One for all calls of the thread. */
const filled = new Descriptor()
const NONE: readonly RateLimitPlan[] = []

/** Of a stage: what a call is counted under, by its route, its virtual host or both. */
export class CallDescriptors {
  readonly #stage: number
  readonly #option: VirtualHostLimits

  constructor(stage: number, option: VirtualHostLimits) {
    this.#stage = stage
    this.#option = option
  }

  /** One text for all of them; '' when there is none. Calls with the same text are counted under the same. */
  text(call: Call, decision: Decision): string {
    let text = ''
    this.#each(call, decision, () => {
      text += ';'
      for (let i = 0; i < filled.length; i++) {
        const key = filled.keys[i] as string
        const value = filled.values[i] as string
        text += `${key.length}:${key}${value.length}:${value}`
      }
    })
    return text
  }

  all(call: Call, decision: Decision): RateLimitDescriptor[] {
    const all: RateLimitDescriptor[] = []
    this.#each(call, decision, () => {
      const entries = filled.keys.slice(0, filled.length).map((key, i) => ({
        key,
        // Text of protobuf is UTF-8; what came as bytes is read as such.
        value: Buffer.from(filled.values[i] as string, 'latin1').toString('utf8'),
      }))
      all.push(create(RateLimitDescriptorSchema, { entries }))
    })
    return all
  }

  #each(call: Call, decision: Decision, take: () => void): void {
    const action = decision.route?.action
    if (action?.kind !== 'forward') return
    this.#fill(action.rateLimits, call, decision, take)
    if (takesHostLimits(this.#option, action.rateLimits)) {
      this.#fill(decision.virtualHost?.rateLimits ?? NONE, call, decision, take)
    }
  }

  #fill(limits: readonly RateLimitPlan[], call: Call, decision: Decision, take: () => void): void {
    for (let i = 0; i < limits.length; i++) {
      const limit = limits[i] as RateLimitPlan
      if (limit.stage === this.#stage && filled.fill(limit, call, decision)) take()
    }
  }
}
