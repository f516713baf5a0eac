/** How many hosts a priority has, and how well it can serve. */
export interface PriorityHealth {
  readonly hosts: number
  /** Without those that are leaving: they are missed by nobody. */
  readonly counted: number
  readonly healthy: number
  readonly degraded: number
  /** `counted` and the others as shares are taken of them: again, or by weights (`weighted_priority_health`). */
  readonly size: number
  readonly healthySize: number
  readonly degradedSize: number
  /** How far what serves may be overloaded before others help: 140 means that 72% of the hosts can take all. */
  readonly overprovisioningPercent: number
}

/** Where requests go, in whole per cents by priority. Together they are 100. */
export interface PriorityLoad {
  readonly healthy: readonly number[]
  readonly degraded: readonly number[]
  /** Whether the health of a priority's hosts is not looked at, since too few are left. */
  readonly panic: readonly boolean[]
}

/** What of the load each priority could serve, in whole per cents. */
interface Availability {
  readonly healthy: readonly number[]
  readonly degraded: readonly number[]
  /** At most 100. */
  readonly total: number
}

/** As Envoy's LoadBalancerBase reckons it, in the same whole numbers and with the same rounding. */
export function priorityLoad(priorities: readonly PriorityHealth[], panicThresholdPercent: number): PriorityLoad {
  const available = availabilityOf(priorities)
  const panic = priorities.map((one) => available.total < 100 && isBelow(one, panicThresholdPercent))
  if (panicThresholdPercent === 0 && available.total === 0) return { ...allToFirst(priorities.length), panic }
  if (panic.every(Boolean)) return { ...loadByHosts(priorities), panic }
  return { ...loadByAvailability(available), panic }
}

/**
 * The load when these priorities are not to be asked again, after how well the others can serve; undefined when none of
 * the others can (envoy.retry_priorities.previous_priorities).
 */
export function loadWithout(
  priorities: readonly PriorityHealth[],
  excluded: (priority: number) => boolean,
): Pick<PriorityLoad, 'healthy' | 'degraded'> | undefined {
  const all = availabilityOf(priorities)
  const left = (shares: readonly number[]) => shares.map((share, priority) => (excluded(priority) ? 0 : share))
  const healthy = left(all.healthy)
  const degraded = left(all.degraded)
  const total = Math.min(100, sum(healthy) + sum(degraded))
  return total === 0 ? undefined : loadByAvailability({ healthy, degraded, total })
}

function availabilityOf(priorities: readonly PriorityHealth[]): Availability {
  const healthy = priorities.map((one) => shareOf(one, one.healthySize))
  const degraded = priorities.map((one) => shareOf(one, one.degradedSize))
  return { healthy, degraded, total: Math.min(100, sum(healthy) + sum(degraded)) }
}

function shareOf({ counted, size, overprovisioningPercent }: PriorityHealth, part: number): number {
  return counted === 0 || size === 0 ? 0 : Math.min(100, Math.floor((overprovisioningPercent * part) / size))
}

function isBelow({ counted, healthy, degraded }: PriorityHealth, thresholdPercent: number): boolean {
  const percent = counted === 0 ? 0 : (100 * healthy) / counted + (100 * degraded) / counted
  return percent < thresholdPercent
}

/** Degraded hosts get what healthy ones leave, and the first that can serve what rounding leaves. */
function loadByAvailability(available: Availability) {
  const { total } = available
  let left = 100
  const distribute = (shares: readonly number[]) =>
    shares.map((share) => {
      const load = Math.min(left, Math.floor((share * 100) / total))
      left -= load
      return load
    })
  // Nobody can serve, and not all are in panic: whoever is chosen has no host.
  if (total === 0) return allToFirst(available.healthy.length)
  const healthy = distribute(available.healthy)
  const degraded = distribute(available.degraded)
  const firstHealthy = available.healthy.findIndex((share) => share > 0)
  const firstDegraded = available.degraded.findIndex((share) => share > 0)
  if (firstHealthy >= 0) healthy[firstHealthy]! += left
  else degraded[firstDegraded]! += left
  return { healthy, degraded }
}

/** All are in panic. */
function loadByHosts(priorities: readonly PriorityHealth[]) {
  const total = sum(priorities.map(({ hosts }) => hosts))
  if (total === 0) return allToFirst(priorities.length)
  const healthy = priorities.map(({ hosts }) => Math.floor((100 * hosts) / total))
  healthy[priorities.findIndex(({ hosts }) => hosts > 0)]! += 100 - sum(healthy)
  return { healthy, degraded: priorities.map(() => 0) }
}

function allToFirst(count: number) {
  const none = Array.from({ length: count }, () => 0)
  return { healthy: none.map((_, priority) => (priority === 0 ? 100 : 0)), degraded: none }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
