import { machineMs } from '../lib/clock.ts'
import { randomInt } from '../lib/random.ts'
import type { Surroundings } from './decide/surroundings.ts'
import { FilterMemory } from './filters/memory.ts'
import { OwnTokens } from './limits/own-tokens.ts'
import { SEEDS, type TokenMemory, TokenTable, tokenMemory } from './limits/token-table.ts'
import type { StreamContext } from './stream/context.ts'
import { type BreakerCounts, COUNT } from './upstream/breaker-counts.ts'

export interface SurroundingsOptions {
  /** Where token buckets are kept: by default, by this thread. */
  tokens?: TokenMemory
  /** The cluster of the node in the bootstrap. */
  localCluster?: string
}

/** What calls find around them in a data plane, which is `context`. `faults` counts those that are under way. */
export function surroundingsOf(
  { tokens, localCluster = '' }: SurroundingsOptions,
  context: StreamContext,
  faults: BreakerCounts,
): Surroundings {
  const { clock, random } = context
  return {
    memory: new FilterMemory(context),
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
