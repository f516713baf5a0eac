import { RBAC_Action as ActionProto, type RBAC } from '../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import type { Trace } from '../../decide/trace.ts'
import { refuse } from '../../plan/plan-error.ts'
import type { Asked } from './asked.ts'
import { compilePolicy, type PolicyPlan, policyMatches, policyRefusal, type RuleOrigins } from './policy.ts'
import { PolicyIndex } from './policy-index.ts'

export type RbacAction = 'ALLOW' | 'DENY' | 'LOG'

/** envoy.config.rbac.v3.RBAC: policies in the order of their names, and what is done with who matches one. */
export interface RbacEngine {
  readonly action: RbacAction
  readonly policies: readonly PolicyPlan[]
  /** undefined when there are few, or when none can be told apart. */
  readonly index: PolicyIndex | undefined
}

const ACTIONS: Readonly<Record<ActionProto, RbacAction>> = {
  [ActionProto.ALLOW]: 'ALLOW',
  [ActionProto.DENY]: 'DENY',
  [ActionProto.LOG]: 'LOG',
}

export function compileEngine(rbac: RBAC, origins: RuleOrigins | undefined, where: string): RbacEngine {
  if (rbac.auditLoggingOptions !== undefined) refuse(`${where}.audit_logging_options`, 'not supported')
  const action = ACTIONS[rbac.action] ?? refuse(`${where}.action`, 'is not known')
  const names = Object.keys(rbac.policies).sort(byBytes)
  const policies = names.map((name) => {
    const policy = rbac.policies[name] as NonNullable<(typeof rbac.policies)[string]>
    return compilePolicy(name, policy, origins, `${where}.policies[${name}]`)
  })
  return { action, policies, index: PolicyIndex.of(policies) }
}

/** Envoy keeps policies in a map that is ordered by the bytes of their names. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** The first policy that matches. A trace gets every policy that was looked at, which without an index are all up to it. */
export function findPolicy(engine: RbacEngine, asked: Asked, trace?: Trace): PolicyPlan | undefined {
  const { policies, index } = engine
  if (trace !== undefined) return walkPolicies(engine, asked, trace)
  if (index === undefined) {
    for (let i = 0; i < policies.length; i++) {
      const policy = policies[i] as PolicyPlan
      if (policyMatches(policy, asked)) return policy
    }
    return undefined
  }
  const candidates = index.candidates(asked)
  for (let i = 0, last = -1; i < candidates.count; i++) {
    const number = candidates.at(i)
    if (number === last) continue
    last = number
    const policy = policies[number] as PolicyPlan
    if (policyMatches(policy, asked)) return policy
  }
  return undefined
}

function walkPolicies({ action, policies }: RbacEngine, asked: Asked, trace: Trace): PolicyPlan | undefined {
  for (const policy of policies) {
    const refusal = policyRefusal(policy, asked)
    trace.push({
      candidate: `${action} policy ${policy.name}`,
      matched: refusal === undefined,
      reason: refusal === undefined ? 'every predicate matches' : `does not match: ${refusal}`,
      origin: policy.origin,
    })
    if (refusal === undefined) return policy
  }
  return undefined
}

/** Whether who matches `policy` (undefined: none) may go on. */
export function allows({ action }: RbacEngine, policy: PolicyPlan | undefined): boolean {
  return action === 'LOG' || (action === 'ALLOW') === (policy !== undefined)
}
