import type { FilterMemory } from '../filters/memory.ts'
import { SymbolicTokens } from '../limits/symbolic-tokens.ts'
import type { TokenSource } from '../limits/token-bucket.ts'

/** What a decision may ask of the process around a call. Comes with the call, as its clock and dice do. */
export interface Surroundings {
  /** Where rate limits take their tokens. */
  readonly tokens: TokenSource
  /** What the proxies of this service are called together (the cluster of the node in the bootstrap); '' for nothing. */
  readonly localCluster: string
  /** Faults that are under way, over all threads. */
  readonly activeFaults: number
  /** What filters have learnt from earlier calls; undefined where nothing is to be learnt, so that all is asked. */
  readonly memory: FilterMemory | undefined
}

/** For calls that nobody makes. */
export const SYMBOLIC_SURROUNDINGS: Surroundings = {
  tokens: new SymbolicTokens(),
  localCluster: '',
  activeFaults: 0,
  memory: undefined,
}
