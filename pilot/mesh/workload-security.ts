import type { ConfigObject } from '../../config/object.ts'
import type { AuthorizationPolicyBody } from '../../crds/kinds/authorization-policy.ts'
import type { RequestAuthenticationBody } from '../../crds/kinds/request-authentication.ts'
import { type Labels, labelsMatch } from '../registry/labels.ts'
import type { Generation } from './generation.ts'

/** The policies that a workload is under. They add up: none takes the place of another. */
export interface WorkloadSecurity {
  readonly requestAuthentications: readonly ConfigObject<RequestAuthenticationBody>[]
  readonly authorizationPolicies: readonly ConfigObject<AuthorizationPolicyBody>[]
}

export const NO_SECURITY: WorkloadSecurity = { requestAuthentications: [], authorizationPolicies: [] }

export function workloadSecurity(namespace: string, labels: Labels, generation: Generation): WorkloadSecurity {
  const { rootNamespace } = generation.options
  return {
    requestAuthentications: policiesOf(generation.requestAuthentications, namespace, labels, rootNamespace),
    authorizationPolicies: policiesOf(generation.authorizationPolicies, namespace, labels, rootNamespace).filter(
      // What they target is not among the workloads that there are here.
      ({ body: { spec } }) => spec.targetRef === undefined && spec.targetRefs === undefined,
    ),
  }
}

interface TargetedSpec {
  readonly selector?: { readonly matchLabels?: Labels }
  readonly targetRef?: object
  readonly targetRefs?: readonly object[]
}

/** Those of its own namespace and of the mesh's whose selector, where there is one, it has the labels of. Order stays. */
function policiesOf<P extends ConfigObject<{ spec: TargetedSpec }>>(
  policies: readonly P[],
  namespace: string,
  labels: Labels,
  rootNamespace: string,
): readonly P[] {
  return policies.filter(({ metadata, body }) => {
    // What is meant for gateways of the Gateway API is meant for nothing that we know.
    if (body.spec.targetRef !== undefined || body.spec.targetRefs !== undefined) return false
    if (metadata.namespace !== namespace && metadata.namespace !== rootNamespace) return false
    return labelsMatch(body.spec.selector?.matchLabels, labels)
  })
}
