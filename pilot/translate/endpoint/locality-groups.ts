import type { LocalityLoadBalancerSetting } from '../../../crds/kinds/destination-rule.ts'
import { distance, localityMeets, parseLocality, placeLabel } from '../../mesh/locality.ts'
import { isDistributed } from '../../mesh/locality-setting.ts'
import type { Endpoint } from '../../registry/endpoint.ts'
import type { Labels } from '../../registry/labels.ts'

/** Who is given endpoints. */
export interface Caller {
  /** `region/zone/subzone`, or ''. */
  readonly locality: string
  readonly labels: Labels
}

/** Endpoints of one locality and priority. */
export interface LocalityGroup {
  readonly locality: string
  readonly priority: number
  readonly weight: number
  readonly endpoints: readonly Endpoint[]
}

type Distribute = NonNullable<LocalityLoadBalancerSetting['distribute']>
type Failover = NonNullable<LocalityLoadBalancerSetting['failover']>

/** Those that are ready, by the names of their localities; a locality weighs what its endpoints do. */
export function byLocality(endpoints: readonly Endpoint[]): LocalityGroup[] {
  const groups = new Map<string, Endpoint[]>()
  for (const endpoint of endpoints) {
    if (!endpoint.ready) continue
    const group = groups.get(endpoint.locality)
    if (group === undefined) groups.set(endpoint.locality, [endpoint])
    else group.push(endpoint)
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([locality, group]) => groupOf(locality, 0, group))
}

/**
 * The groups as one caller is to use them (Istio's ApplyLocalityLoadBalancer): with the weights that it is told, or nearest
 * first.
 */
export function forCaller(
  groups: readonly LocalityGroup[],
  setting: LocalityLoadBalancerSetting,
  caller: Caller,
  clusterId: string,
): readonly LocalityGroup[] {
  const { distribute = [], failover = [], failoverPriority = [] } = setting
  if (isDistributed(setting)) return distributed(groups, distribute, caller)
  if (failoverPriority.length === 0) return byDistance(groups, failover, caller)
  const byLabels = gapless(groups.flatMap((group) => byLeadingLabels(group, failoverPriority, caller, clusterId)))
  return failover.length === 0 ? byLabels : byDistance(byLabels, failover, caller)
}

/** The first entry for where the caller is says which localities it calls; without one nothing changes. */
function distributed(groups: readonly LocalityGroup[], distribute: Distribute, caller: Caller) {
  const place = parseLocality(caller.locality)
  const entry = distribute.find(({ from = '' }) => localityMeets(place, from))
  if (entry === undefined) return groups
  const left = new Set(groups)
  const chosen: LocalityGroup[] = []
  for (const [pattern, percent] of Object.entries(entry.to ?? {})) {
    const met = [...left].filter(({ locality }) => localityMeets(parseLocality(locality), pattern))
    const total = met.reduce((sum, { weight }) => sum + weight, 0)
    for (const group of met) {
      left.delete(group)
      const weight = Math.ceil((group.weight * percent) / total)
      if (weight > 0) chosen.push({ ...group, weight })
    }
  }
  return chosen.sort((a, b) => (a.locality < b.locality ? -1 : 1))
}

/** What was a priority already becomes five: one for each distance, and the last for regions that are not the one to turn to. */
const DISTANCES = 5
const ELSEWHERE = 4

function byDistance(groups: readonly LocalityGroup[], failover: Failover, caller: Caller): readonly LocalityGroup[] {
  const place = parseLocality(caller.locality)
  const turnsTo = failover.find(({ from = '' }) => from === place.region)?.to
  return gapless(
    groups.map((group) => {
      const there = parseLocality(group.locality)
      const near = distance(place, there)
      const isElsewhere = near === 3 && turnsTo !== undefined && there.region !== turnsTo
      return { ...group, priority: group.priority * DISTANCES + (isElsewhere ? ELSEWHERE : near) }
    }),
  )
}

/** The more of the first labels an endpoint has as the caller has them, the better: 0 for all of them. */
function byLeadingLabels(
  { locality, endpoints }: LocalityGroup,
  wanted: readonly string[],
  caller: Caller,
  clusterId: string,
): LocalityGroup[] {
  const values = wanted.map((text) => {
    const [key = '', ...value] = text.split('=')
    return [key, value[0] ?? placeLabel(key, caller.labels, caller.locality, clusterId)] as const
  })
  const groups = new Map<number, Endpoint[]>()
  for (const endpoint of endpoints) {
    const differs = ([key, value]: readonly [string, string]) =>
      placeLabel(key, endpoint.labels, locality, clusterId) !== value
    const first = values.findIndex(differs)
    const priority = first < 0 ? 0 : values.length - first
    const group = groups.get(priority)
    if (group === undefined) groups.set(priority, [endpoint])
    else group.push(endpoint)
  }
  return [...groups].sort(([a], [b]) => a - b).map(([priority, group]) => groupOf(locality, priority, group))
}

/** Priorities count from 0 without leaving one out. */
function gapless(groups: readonly LocalityGroup[]): readonly LocalityGroup[] {
  const used = [...new Set(groups.map(({ priority }) => priority))].sort((a, b) => a - b)
  return groups.map((group) => ({ ...group, priority: used.indexOf(group.priority) }))
}

function groupOf(locality: string, priority: number, endpoints: readonly Endpoint[]): LocalityGroup {
  return { locality, priority, weight: endpoints.reduce((sum, { weight }) => sum + weight, 0), endpoints }
}
