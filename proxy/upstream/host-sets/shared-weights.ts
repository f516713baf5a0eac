import type { Host } from '../host.ts'

/**
 * What each of `hosts` weighs in one table of all localities of a priority: its part of its locality's part of `total`, the
 * weights of all localities together (Envoy's normalizeLocalityWeights). What is left of a locality has all of its share.
 */
export function shareByLocality(hosts: readonly Host[], total: number): readonly number[] {
  const sums = new Map<string, number>()
  for (const { plan } of hosts) sums.set(plan.locality, (sums.get(plan.locality) ?? 0) + plan.weight)
  return hosts.map(({ plan }) => {
    return (plan.weight * plan.localityWeight) / total / (sums.get(plan.locality) as number)
  })
}
