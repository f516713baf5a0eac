import { ROUNDS } from './settings.ts'

/**
 * Measures every item once a round, after a round that only warms up. Every other round goes backwards, so that nobody is
 * always first. By label, what was measured in each round.
 */
export async function interleave<T extends { readonly label: string }, R>(
  items: readonly T[],
  measure: (item: T) => Promise<R>,
): Promise<Map<string, R[]>> {
  const samples = new Map<string, R[]>(items.map(({ label }) => [label, []]))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const item of round % 2 === 0 ? items : [...items].reverse()) {
      const sample = await measure(item).catch((error: Error) => {
        throw new Error(`${item.label}: ${error.message}`)
      })
      if (round > 0) samples.get(item.label)?.push(sample)
    }
    process.stderr.write(round === 0 ? 'warm' : ` ${round}`)
  }
  process.stderr.write('\n')
  return samples
}
