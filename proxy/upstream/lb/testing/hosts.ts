import { plainEndpoint } from '../../../plan/plain-endpoint.ts'
import type { EndpointPlan } from '../../../plan/plan.ts'
import { Host } from '../../host.ts'

/** Helpers for the tests of this room. */

export function endpoint(port: number, fields: Partial<EndpointPlan> = {}): EndpointPlan {
  return { ...plainEndpoint('10.0.0.1', port), ...fields }
}

/** One host for each weight, at the ports 1000, 1001 and so on. */
export function hostsOf(weights: readonly number[]): Host[] {
  return weights.map((weight, i) => new Host(endpoint(1000 + i, { weight })))
}

export function alike(count: number): Host[] {
  return hostsOf(new Array<number>(count).fill(1))
}

/** How often each host comes in `picks` picks. */
export function countPicks(hosts: readonly Host[], picks: number, pick: (i: number) => Host): number[] {
  const indexOf = new Map(hosts.map((host, i) => [host, i]))
  const counts = new Array<number>(hosts.length).fill(0)
  for (let i = 0; i < picks; i++) {
    const index = indexOf.get(pick(i)) as number
    counts[index] = (counts[index] as number) + 1
  }
  return counts
}

/** Pearson's statistic of counts against the shares that are expected of them. */
export function chiSquare(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((a, b) => a + b, 0)
  const sum = shares.reduce((a, b) => a + b, 0)
  return counts.reduce((statistic, count, i) => {
    const expected = (total * (shares[i] as number)) / sum
    return statistic + (count - expected) ** 2 / expected
  }, 0)
}

/** What chance alone exceeds once in a thousand times, by degrees of freedom (one less than there are hosts). */
export const CHI_SQUARE_999: Readonly<Record<number, number>> = {
  1: 10.828,
  2: 13.816,
  3: 16.266,
  4: 18.467,
  5: 20.515,
  9: 27.877,
}

export function limitOf(hosts: readonly unknown[]): number {
  const limit = CHI_SQUARE_999[hosts.length - 1]
  if (limit === undefined) throw new Error(`no limit for ${hosts.length} hosts`)
  return limit
}
