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

/**
 * One text for all that a call is counted under in this stage, by its route, its virtual host or both; '' for nothing. Calls with the
 * same text are counted under the same.
 */
export function descriptorText(stage: number, option: VirtualHostLimits, call: Call, decision: Decision): string {
  const ofRoute = limitsOfRoute(decision)
  const ofHost = limitsOfHost(option, decision)
  let text = ''
  for (let i = 0; i < ofRoute.length + ofHost.length; i++) {
    const limit = (i < ofRoute.length ? ofRoute[i] : ofHost[i - ofRoute.length]) as RateLimitPlan
    if (limit.stage !== stage || !filled.fill(limit, call, decision)) continue
    text += ';'
    for (let entry = 0; entry < filled.length; entry++) {
      const key = filled.keys[entry] as string
      const value = filled.values[entry] as string
      text += `${key.length}:${key}${value.length}:${value}`
    }
  }
  return text
}

/** The same, as a server is told. */
export function descriptorsOf(
  stage: number,
  option: VirtualHostLimits,
  call: Call,
  decision: Decision,
): RateLimitDescriptor[] {
  return [...limitsOfRoute(decision), ...limitsOfHost(option, decision)].flatMap((limit) => {
    if (limit.stage !== stage || !filled.fill(limit, call, decision)) return []
    const entries = filled.keys.slice(0, filled.length).map((key, i) => ({
      key,
      // Text of protobuf is UTF-8; what came as bytes is read as such.
      value: Buffer.from(filled.values[i] as string, 'latin1').toString('utf8'),
    }))
    return [create(RateLimitDescriptorSchema, { entries })]
  })
}

function limitsOfRoute({ route }: Decision): readonly RateLimitPlan[] {
  return route?.action.kind === 'forward' ? route.action.rateLimits : NONE
}

/** Only a call that goes somewhere is counted. */
function limitsOfHost(option: VirtualHostLimits, { route, virtualHost }: Decision): readonly RateLimitPlan[] {
  if (route?.action.kind !== 'forward' || !takesHostLimits(option, route.action.rateLimits)) return NONE
  return virtualHost?.rateLimits ?? NONE
}
