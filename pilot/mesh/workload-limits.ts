import type { ConfigObject } from '../../config/object.ts'
import type { EnvoyFilterBody } from '../../crds/kinds/envoy-filter.ts'
import type { RateLimitBody } from '../../crds/kinds/rate-limit.ts'
import { type Labels, labelsMatch } from '../registry/labels.ts'
import type { Generation } from './generation.ts'

/** What limits a workload, in the order in which it is applied. */
export type WorkloadLimits = readonly ConfigObject<EnvoyFilterBody | RateLimitBody>[]

export function workloadLimits(namespace: string, labels: Labels, generation: Generation): WorkloadLimits {
  const { envoyFilters, rateLimits, options } = generation
  const isRoot = (object: ConfigObject<unknown>) => object.metadata.namespace === options.rootNamespace
  const applies = (object: ConfigObject<unknown>, selector: Labels | undefined) =>
    (object.metadata.namespace === namespace || isRoot(object)) && labelsMatch(selector, labels)
  const filters = envoyFilters
    .filter((one) => one.body.spec.targetRefs === undefined && applies(one, one.body.spec.workloadSelector?.labels))
    // Istio's order: the mesh's before the namespace's, then by priority, then by age, as they are already.
    .sort((a, b) => Number(isRoot(b)) - Number(isRoot(a)) || priorityOf(a) - priorityOf(b))
  return [...rateLimits.filter((one) => applies(one, one.body.spec.selector?.matchLabels)), ...filters]
}

function priorityOf({ body }: ConfigObject<EnvoyFilterBody>): number {
  return body.spec.priority ?? 0
}
