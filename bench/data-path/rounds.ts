import { coreDistanceNs } from './cores/distance.ts'
import { ROUNDS } from './settings.ts'
import { type Spread, spread } from './statistics.ts'

/** What was measured in each round, in their order, by label. */
export type Samples<R> = ReadonlyMap<string, readonly R[]>

export interface Rounds<R> {
  readonly samples: Samples<R>
  /** Those of rounds that do not count, since the cores were apart. */
  readonly apart: Samples<R>
  readonly apartCount: number
  readonly distanceNs: Spread
}

interface Round<R> {
  readonly samples: ReadonlyMap<string, R>
  /** The way between the cores, before, between and after the measurements. */
  readonly distancesNs: readonly number[]
}

/** Cores are apart when the way between them is longer than so many times the shortest that was seen. */
const APART = 2

/**
 * Measures every item once a round, after a round that only warms up. Every other round goes backwards, so that nobody is
 * always first. A round in which the cores were apart does not count and another takes its place, while there are not twice as many in all; if
 * less than half of those wanted are left then, all of them count.
 */
export async function interleave<T extends { readonly label: string }, R>(
  items: readonly T[],
  measure: (item: T) => Promise<R>,
  wanted = ROUNDS,
  coreDistance: () => Promise<number> = coreDistanceNs,
): Promise<Rounds<R>> {
  await measureRound(items, measure, coreDistance)
  process.stderr.write('warm')
  const rounds: Round<R>[] = []
  while (near(rounds).length < wanted && rounds.length < 2 * wanted) {
    const order = rounds.length % 2 === 1 ? items : [...items].reverse()
    rounds.push(await measureRound(order, measure, coreDistance))
    process.stderr.write(` ${rounds.length}`)
  }
  process.stderr.write('\n')
  const counted = 2 * near(rounds).length < wanted ? rounds : near(rounds)
  const apart = rounds.filter((round) => !counted.includes(round))
  return {
    samples: samplesOf(items, counted),
    apart: samplesOf(items, apart),
    apartCount: apart.length,
    distanceNs: spread(rounds.flatMap(({ distancesNs }) => distancesNs)),
  }
}

async function measureRound<T extends { readonly label: string }, R>(
  items: readonly T[],
  measure: (item: T) => Promise<R>,
  coreDistance: () => Promise<number>,
): Promise<Round<R>> {
  const samples = new Map<string, R>()
  const distancesNs = [await coreDistance()]
  for (const item of items) {
    const sample = await measure(item).catch((error: Error) => {
      throw new Error(`${item.label}: ${error.message}`)
    })
    samples.set(item.label, sample)
    distancesNs.push(await coreDistance())
  }
  return { samples, distancesNs }
}

function near<R>(rounds: readonly Round<R>[]): readonly Round<R>[] {
  const leastNs = Math.min(...rounds.flatMap(({ distancesNs }) => distancesNs))
  return rounds.filter(({ distancesNs }) => Math.max(...distancesNs) <= APART * leastNs)
}

function samplesOf<R>(items: readonly { readonly label: string }[], rounds: readonly Round<R>[]): Samples<R> {
  return new Map(items.map(({ label }) => [label, rounds.map(({ samples }) => samples.get(label) as R)]))
}
