import type { Origin } from '../../api/origin.ts'
import { resolveHost } from '../../config/hosts.ts'
import { type ConfigObject, originAt } from '../../config/object.ts'
import type { DestinationRuleBody, Subset, TrafficPolicy } from '../../crds/kinds/destination-rule.ts'
import { peakEwmaDecayMs } from '../../crds/load-balancer-annotations.ts'
import type { Memo } from '../memo.ts'
import { isEmptySelector, type Labels, labelsMatch } from '../registry/labels.ts'
import type { Service } from '../registry/service.ts'
import { isVisible, parseExportTo, type Visibility } from '../registry/visibility.ts'
import { HostIndex } from './host-index.ts'
import type { MeshOptions } from './options.ts'

/** The DestinationRules of one namespace for one host, merged. */
export interface DestinationRule {
  readonly host: string
  readonly namespace: string
  readonly name: string
  readonly exportTo: Visibility
  readonly selector: Labels | undefined
  readonly trafficPolicy: TrafficPolicy | undefined
  readonly subsets: readonly { subset: Subset; origin: Origin }[]
  /** The time constant of Peak EWMA, where an annotation asks for it. */
  readonly peakEwmaDecayMs: number | undefined
  readonly origin: Origin
}

export interface DestinationRuleIndex {
  /**
   * The rule for calls of a client to a service: that of the client's namespace, else the service's, else the root
   * namespace's; in each the one of the most specific host. The first found is taken whole.
   */
  find(
    client: { namespace: string; labels: Labels },
    service: { host: string; namespace: string },
  ): DestinationRule | undefined
  readonly all: readonly DestinationRule[]
  /** Label keys that choose among rules. */
  readonly selectorKeys: readonly string[]
}

export function indexDestinationRules(
  objects: readonly ConfigObject<DestinationRuleBody>[],
  options: MeshOptions,
  memo: Memo,
): DestinationRuleIndex {
  return memo.get('destination rules', [objects, options], () => {
    const all = mergeRules(objects, options, memo)
    const byNamespace = new Map<string, HostIndex<DestinationRule>>()
    for (const rule of all) {
      const index = byNamespace.get(rule.namespace) ?? new HostIndex<DestinationRule>()
      byNamespace.set(rule.namespace, index)
      index.add(rule.host, rule)
    }
    return {
      all,
      selectorKeys: [...new Set(all.flatMap((rule) => Object.keys(rule.selector ?? {})))],
      find(client, service) {
        for (const { namespace, privateOnly } of lookupOrder(client.namespace, service.namespace, options)) {
          const accept = (rule: DestinationRule) => appliesTo(rule, client) && (!privateOnly || isPrivate(rule))
          const rules = byNamespace.get(namespace)?.lookup(service.host, accept)
          // A rule that selects this very client goes before one for all.
          const found = rules?.find((rule) => rule.selector !== undefined) ?? rules?.[0]
          if (found !== undefined) return found
        }
        return undefined
      },
    }
  })
}

/**
 * The rules of the root namespace are defaults of the whole mesh, so they come last even for clients that live there;
 * only what that namespace keeps to itself goes first for them.
 */
function lookupOrder(client: string, service: string, { rootNamespace }: MeshOptions) {
  const order = [{ namespace: client, privateOnly: client === rootNamespace }]
  if (service !== client && service !== rootNamespace) order.push({ namespace: service, privateOnly: false })
  order.push({ namespace: rootNamespace, privateOnly: false })
  return order
}

function isPrivate(rule: DestinationRule): boolean {
  return rule.selector !== undefined || (rule.exportTo.length === 1 && rule.exportTo[0] === rule.namespace)
}

/** A rule with a selector is only for the workloads of its own namespace. */
function appliesTo(rule: DestinationRule, client: { namespace: string; labels: Labels }): boolean {
  if (rule.selector === undefined) return isVisible(rule.exportTo, client.namespace)
  return rule.namespace === client.namespace && labelsMatch(rule.selector, client.labels)
}

/**
 * Rules of the same namespace and host become one when they are exported and select alike: subsets are put
 * together, the first traffic policy stays.
 */
function mergeRules(
  objects: readonly ConfigObject<DestinationRuleBody>[],
  options: MeshOptions,
  memo: Memo,
): DestinationRule[] {
  const groups = new Map<string, ConfigObject<DestinationRuleBody>[]>()
  for (const object of objects) {
    const { spec } = object.body
    const { namespace } = object.metadata
    const host = resolveHost(spec.host.toLowerCase(), namespace, options.domain)
    const exportTo = parseExportTo(spec.exportTo, namespace, options.defaultDestinationRuleExportTo)
    const key = JSON.stringify([namespace, host, exportTo, spec.workloadSelector?.matchLabels ?? {}])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [object])
    else group.push(object)
  }
  return [...groups.values()].map((group) =>
    memo.get('destination rule', [options, ...group], () => merge(group, options)),
  )
}

function merge(group: readonly ConfigObject<DestinationRuleBody>[], options: MeshOptions): DestinationRule {
  const first = group[0] as ConfigObject<DestinationRuleBody>
  const { spec } = first.body
  const { namespace, name } = first.metadata
  const selector = spec.workloadSelector?.matchLabels
  const subsets = new Map<string, { subset: Subset; origin: Origin }>()
  for (const object of group) {
    for (const [i, subset] of (object.body.spec.subsets ?? []).entries()) {
      if (!subsets.has(subset.name)) {
        subsets.set(subset.name, { subset, origin: originAt(object, ['spec', 'subsets', i]) })
      }
    }
  }
  return {
    host: resolveHost(spec.host.toLowerCase(), namespace, options.domain),
    namespace,
    name,
    exportTo: parseExportTo(spec.exportTo, namespace, options.defaultDestinationRuleExportTo),
    selector: isEmptySelector(selector) ? undefined : selector,
    trafficPolicy: group.find((object) => object.body.spec.trafficPolicy !== undefined)?.body.spec.trafficPolicy,
    subsets: [...subsets.values()],
    peakEwmaDecayMs: peakEwmaDecayMs(first.metadata.annotations),
    origin: first.origin,
  }
}

/** The rule of a service as its clients of the same namespace and without labels see it. */
export function ownRule(index: DestinationRuleIndex, service: Service): DestinationRule | undefined {
  return index.find({ namespace: service.namespace, labels: {} }, service)
}
