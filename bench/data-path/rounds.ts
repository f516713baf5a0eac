import { coreDistanceNs } from './cores/distance.ts'
import { CoreWatch } from './cores/watch.ts'
import { ROUNDS } from './settings.ts'
import type { Spread } from './statistics.ts'

/** By label, what was measured. */
export type Samples<R> = ReadonlyMap<string, readonly R[]>

export interface Rounds<R> {
  /** The i-th ones of all are of the same round. */
  readonly samples: Samples<R>
  /** Of measurements that were made again, since the cores were apart. */
  readonly apart: Samples<R>
  readonly apartCount: number
  /** From core to core and back. */
  readonly distanceNs: Spread
}

/** So many measurements may be made again for each one that counts, on the mean. */
const MAX_AGAIN = 2

/**
 * Measures every item once a round, after a round that only warms up. Every other round goes backwards, so that nobody is
 * always first. What was measured while the cores were apart is measured again at once, as long as that has not been done too often.
 */
export async function interleave<T extends { readonly label: string }, R>(
  items: readonly T[],
  measure: (item: T) => Promise<R>,
  wanted = ROUNDS,
  distanceNs: () => Promise<number> = coreDistanceNs,
): Promise<Rounds<R>> {
  const samples = new Map<string, R[]>(items.map(({ label }) => [label, []]))
  const apart = new Map<string, R[]>(items.map(({ label }) => [label, []]))
  const watch = new CoreWatch(distanceNs)
  let apartCount = 0
  for (let round = 0; round <= wanted; round++) {
    const order = round % 2 === 0 ? [...items] : [...items].reverse()
    for (let i = 0; i < order.length; ) {
      const item = order[i] as T
      const sample = await measure(item).catch((error: Error) => {
        throw new Error(`${item.label}: ${error.message}`)
      })
      const areNear = await watch.areNear()
      const isAgain = round > 0 && !areNear && apartCount < MAX_AGAIN * wanted * items.length
      if (isAgain) apartCount++
      else i++
      if (round > 0) (isAgain ? apart : samples).get(item.label)?.push(sample)
    }
    process.stderr.write(round === 0 ? 'warm' : ` ${round}`)
  }
  process.stderr.write('\n')
  return { samples, apart, apartCount, distanceNs: watch.distanceNs }
}
