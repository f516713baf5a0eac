import type { Host } from '../host.ts'
import { loadWithout, type PriorityHealth, type PriorityLoad } from './priority-load.ts'

/** What a retry makes of the load of priorities (Envoy's RetryPriority). */
export interface RetryPriority {
  loadOf(priorities: readonly PriorityHealth[], load: PriorityLoad): Pick<PriorityLoad, 'healthy' | 'degraded'>
}

/**
 * Turns to priorities that were not tried, anew after every `updateFrequency` tries; when none of the others can serve, it begins
 * again with all (envoy.retry_priorities.previous_priorities). One a request.
 */
export class PreviousPriorities implements RetryPriority {
  readonly #updateFrequency: number
  readonly #tried: number[] = []
  readonly #excluded = new Set<number>()
  #load: Pick<PriorityLoad, 'healthy' | 'degraded'> | undefined

  constructor(updateFrequency: number) {
    this.#updateFrequency = updateFrequency
  }

  /** Told of every host that was tried. */
  onTried(host: Host): void {
    this.#tried.push(host.plan.priority)
  }

  loadOf(priorities: readonly PriorityHealth[], load: PriorityLoad): Pick<PriorityLoad, 'healthy' | 'degraded'> {
    if (this.#tried.length < this.#updateFrequency) return this.#load ?? load
    for (const priority of this.#tried) this.#excluded.add(priority)
    this.#tried.length = 0
    this.#load = this.#without(priorities)
    return this.#load ?? load
  }

  #without(priorities: readonly PriorityHealth[]) {
    const left = loadWithout(priorities, (priority) => this.#excluded.has(priority))
    if (left !== undefined) return left
    this.#excluded.clear()
    return loadWithout(priorities, () => false)
  }
}
