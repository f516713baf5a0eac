import {
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
  Cluster_LbSubsetConfig_LbSubsetMetadataFallbackPolicy as MetadataFallback,
  type Cluster_LbSubsetConfig_LbSubsetSelector as Selector,
  Cluster_LbSubsetConfig_LbSubsetSelector_LbSubsetSelectorFallbackPolicy as SelectorFallback,
  type Cluster_LbSubsetConfig as SubsetConfig,
} from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { Metadata } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import type { SubsetPlan, SubsetSelectorPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { criteriaOfStruct, keysId, type SubsetCriteria, subsetCriteria } from '../subset-criteria.ts'

/** The namespace of the metadata that subsets are made by. */
export const SUBSET_METADATA = 'envoy.lb'

/** envoy.config.cluster.v3.Cluster.LbSubsetConfig; undefined without selectors, as Envoy has it. */
export function compileSubsets(config: SubsetConfig | undefined): SubsetPlan | undefined {
  if (config === undefined || config.subsetSelectors.length === 0) return undefined
  const path = 'lb_subset_config'
  if (config.scaleLocalityWeight) refuse(`${path}.scale_locality_weight`, 'not supported')
  if (config.listAsAny) refuse(`${path}.list_as_any`, 'not supported')
  if (config.metadataFallbackPolicy !== MetadataFallback.METADATA_NO_FALLBACK) {
    refuse(`${path}.metadata_fallback_policy`, 'not supported')
  }
  return {
    fallback: FALLBACK[config.fallbackPolicy] ?? refuse(`${path}.fallback_policy`, 'not supported'),
    defaultSubset: subsetCriteria(criteriaOfStruct(config.defaultSubset)),
    selectors: config.subsetSelectors.map((selector, i) => compileSelector(selector, `${path}.subset_selectors[${i}]`)),
    usesLocalityWeights: config.localityWeightAware,
    panicModeAny: config.panicModeAny,
  }
}

const FALLBACK: Readonly<Record<number, SubsetPlan['fallback']>> = {
  [Fallback.NO_FALLBACK]: 'none',
  [Fallback.ANY_ENDPOINT]: 'any',
  [Fallback.DEFAULT_SUBSET]: 'default',
}

const SELECTOR_FALLBACK: Readonly<Record<number, SubsetSelectorPlan['fallback']>> = {
  [SelectorFallback.NOT_DEFINED]: 'cluster',
  [SelectorFallback.NO_FALLBACK]: 'none',
  [SelectorFallback.ANY_ENDPOINT]: 'any',
  [SelectorFallback.DEFAULT_SUBSET]: 'default',
  [SelectorFallback.KEYS_SUBSET]: 'keys',
}

function compileSelector(selector: Selector, path: string): SubsetSelectorPlan {
  if (selector.singleHostPerSubset) refuse(`${path}.single_host_per_subset`, 'not supported')
  if (selector.keys.length === 0) refuse(`${path}.keys`, 'a key is needed')
  const fallback = SELECTOR_FALLBACK[selector.fallbackPolicy] ?? refuse(`${path}.fallback_policy`, 'not supported')
  const { fallbackKeysSubset } = selector
  if (fallback === 'keys') {
    const at = `${path}.fallback_keys_subset`
    if (fallbackKeysSubset.length === 0) refuse(at, 'a key is needed')
    if (fallbackKeysSubset.some((key) => !selector.keys.includes(key))) refuse(at, 'must be among keys')
    if (new Set(fallbackKeysSubset).size >= new Set(selector.keys).size) refuse(at, 'must be fewer than keys')
  }
  const keys = [...new Set(selector.keys)].sort()
  return { keys, keysId: keysId(keys), fallback, fallbackKeys: fallbackKeysSubset }
}

/**
 * The subset that a route asks for; those of a weighted cluster win over the route's. undefined when nothing is asked for.
 */
export function compileMetadataMatch(
  metadata: Metadata | undefined,
  base?: SubsetCriteria | undefined,
): SubsetCriteria | undefined {
  const own = criteriaOfStruct(metadata?.filterMetadata[SUBSET_METADATA])
  if (own.length === 0) return base
  return subsetCriteria([...new Map([...(base?.entries ?? []), ...own])])
}
