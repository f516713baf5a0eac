import { type Clock, machineMs } from '../lib/clock.ts'
import { type Random, randomInt } from '../lib/random.ts'
import type { Surroundings } from './decide/surroundings.ts'
import { OwnTokens } from './limits/own-tokens.ts'
import { SEEDS, type TokenMemory, TokenTable, tokenMemory } from './limits/token-table.ts'
import { type BreakerCounts, COUNT } from './upstream/breaker-counts.ts'

export interface SurroundingsOptions {
  /** Where token buckets are kept: by default, by this thread. */
  tokens?: TokenMemory
  /** The cluster of the node in the bootstrap. */
  localCluster?: string
}

/** What calls find around them in a data plane. `faults` counts those that are under way. */
export function surroundingsOf(
  { tokens, localCluster = '' }: SurroundingsOptions,
  clock: Clock,
  random: Random,
  faults: BreakerCounts,
): Surroundings {
  return {
    tokens:
      tokens === undefined
        ? new OwnTokens(() => new TokenTable(tokenMemory(randomInt(random, SEEDS)), false, () => clock.nowMs()))
        : new TokenTable(tokens, true, machineMs),
    localCluster,
    get activeFaults() {
      return faults.total(COUNT.requests)
    },
  }
}
