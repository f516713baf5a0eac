import { type AuthorizationPolicyBody, DRY_RUN_ANNOTATION } from '../../../crds/kinds/authorization-policy.ts'
import type { ConfigObject } from '../../object.ts'
import { selects } from '../context.ts'

export type Policy = ConfigObject<AuthorizationPolicyBody>

export function actionOf({ body }: Policy): 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM' {
  return body.spec.action ?? 'ALLOW'
}

export function selectorOf({ body }: Policy): Readonly<Record<string, string>> {
  return body.spec.selector?.matchLabels ?? {}
}

/** Whether it decides anything at all. */
export function isInForce({ body, metadata }: Policy): boolean {
  const { targetRef, targetRefs } = body.spec
  return targetRef === undefined && targetRefs === undefined && metadata.annotations[DRY_RUN_ANNOTATION] !== 'true'
}

/** The namespace whose workloads it may select; undefined for all. */
export function reachOf({ metadata }: Policy, rootNamespace: string): string | undefined {
  return metadata.namespace === rootNamespace ? undefined : metadata.namespace
}

/** Whether all workloads that `b` applies to are under `a` too, whatever workloads there are. */
export function appliesWherever(a: Policy, b: Policy, rootNamespace: string): boolean {
  const reach = reachOf(a, rootNamespace)
  if (reach !== undefined && reach !== reachOf(b, rootNamespace)) return false
  return selects(selectorOf(a), selectorOf(b))
}
