import type { HistogramReading } from './histogram.ts'

/**
 * The value below which a fraction `q` (0 to 1) of what was recorded lies, as buckets let one know: evenly spread within a bucket, from 0
 * on, and never above the last bound. NaN for a histogram without values.
 */
export function quantile({ bounds, counts }: Pick<HistogramReading, 'bounds' | 'counts'>, q: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return Number.NaN
  const rank = q * total
  let below = 0
  for (const [i, count] of counts.entries()) {
    const lower = i === 0 ? 0 : (bounds[i - 1] as number)
    if (count > 0 && below + count >= rank) {
      const upper = bounds[i] ?? lower
      return lower + ((rank - below) / count) * (upper - lower)
    }
    below += count
  }
  return bounds.at(-1) ?? Number.NaN
}
