/** How often each host answered; '' is nobody. */
export type Shares = Readonly<Record<string, number>>

/** How unlike two samples of the same size are (chi-square of homogeneity), and what they may be. */
export interface Likeness {
  readonly chiSquare: number
  readonly bound: number
}

/** Of the normal distribution: beyond lies one of a million. */
const Z = 4.75

/**
 * Whether two counts of as many requests come from the same shares. Hosts that were hardly asked are put together, since the
 * distribution is not to be had from a few. A difference beyond the bound happens by chance once in a million.
 */
export function likeness(a: Shares, b: Shares): Likeness {
  const totals = [sum(a), sum(b)] as const
  let chiSquare = 0
  let cells = 0
  const rare = [0, 0]
  const add = (x: number, y: number) => {
    const expectedX = ((x + y) * totals[0]) / (totals[0] + totals[1])
    const expectedY = x + y - expectedX
    chiSquare += (x - expectedX) ** 2 / expectedX + (y - expectedY) ** 2 / expectedY
    cells++
  }
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [x, y] = [a[name] ?? 0, b[name] ?? 0]
    if (x + y >= 10) add(x, y)
    else {
      rare[0]! += x
      rare[1]! += y
    }
  }
  const [x, y] = rare as [number, number]
  if (x + y > 0) add(x, y)
  return { chiSquare, bound: quantile(Math.max(1, cells - 1)) }
}

/** Of the chi-square distribution, by Wilson and Hilferty. */
function quantile(freedom: number): number {
  const part = 2 / (9 * freedom)
  return freedom * (1 - part + Z * Math.sqrt(part)) ** 3
}

function sum(shares: Shares): number {
  return Object.values(shares).reduce((total, count) => total + count, 0)
}
