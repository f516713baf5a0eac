export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  return { median: median(sorted), low: sorted[0] ?? Number.NaN, high: sorted.at(-1) ?? Number.NaN }
}

/** Of values in ascending order; the mean of the two in the middle when they are even. */
function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/**
 * The spread of the ratios within each round. A machine that slows down for a while slows both sides of a pair. Differences
 * can come out at or below zero by noise alone: nothing is a multiple of such a reference, and the round says nothing. When
 * that is so of half the rounds or more, none is believed.
 */
export function pairedRatio(values: readonly number[], references: readonly number[]): Spread {
  const ratios = values.flatMap((value, i) => {
    const reference = references[i] ?? Number.NaN
    return reference > 0 ? [value / reference] : []
  })
  return spread(2 * ratios.length > values.length ? ratios : [])
}

/** Of values in ascending order: the smallest that at least `share` of them do not exceed (nearest rank). */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}
