import {
  type FilterChainIndex,
  Leaf,
  PrefixLevel,
  type SourceLevel,
  type SourcePortLevel,
  ValueLevel,
} from '../filter-chain-index.ts'
import type { FilterChainPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'

/**
 * Two chains that one connection could equally mean refuse the listener, as in Envoy: the second could never be
 * reached.
 */
export function indexFilterChains(chains: readonly FilterChainPlan[]): FilterChainIndex {
  const index: FilterChainIndex = new ValueLevel()
  const numbers = new Map<FilterChainPlan, number>()
  for (const [i, chain] of chains.entries()) {
    numbers.set(chain, i)
    for (const leaf of leavesOf(index, chain)) {
      if (leaf.chain === chain) continue
      if (leaf.chain !== undefined) {
        const other = `filter_chains[${numbers.get(leaf.chain)}]`
        refuse(`filter_chains[${i}].filter_chain_match`, `matches the same connections as that of ${other}`)
      }
      leaf.chain = chain
    }
  }
  return index
}

/** The ends of every way that the chain's criteria lead to. */
function leavesOf(index: FilterChainIndex, { match }: FilterChainPlan): Leaf[] {
  const { destinationPort, sourceType } = match
  return index
    .under(destinationPort === undefined ? [] : [destinationPort], () => new PrefixLevel())
    .flatMap((level) => level.under(match.prefixRanges, () => new ValueLevel()))
    .flatMap((level) => level.under(match.serverNames, () => new ValueLevel()))
    .flatMap((level) => level.under(match.transportProtocol === '' ? [] : [match.transportProtocol], newLevel))
    .flatMap((level) => level.under(match.applicationProtocols, () => new PrefixLevel()))
    .flatMap((level) => level.under(match.directSourcePrefixRanges, () => new ValueLevel()))
    .flatMap((level) => level.under(sourceType === 'any' ? [] : [sourceType], (): SourceLevel => new PrefixLevel()))
    .flatMap((level) => level.under(match.sourcePrefixRanges, (): SourcePortLevel => new ValueLevel()))
    .flatMap((level) => level.under(match.sourcePorts, () => new Leaf()))
}

function newLevel<K, T>(): ValueLevel<K, T> {
  return new ValueLevel()
}
