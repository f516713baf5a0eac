import type { Host } from '../host.ts'

interface Entry<T> {
  deadline: number
  order: number
  readonly item: T
}

/**
 * Earliest deadline first: each item (a host, a locality) comes back after 1/weight of virtual time, so that any run of picks is as near to
 * the weights as it can be; ties go in the order of arrival (envoy's EdfScheduler). A binary heap.
 */
export class EdfScheduler<T> {
  readonly #heap: Entry<T>[]
  #now = 0
  #order: number

  /**
   * As if `picks` had been taken already (EdfScheduler::createWithPicks): else every proxy, and every one that is told of a
   * change, would begin with the heaviest.
   */
  constructor(items: readonly T[], weightOf: (item: T) => number, picks = 0) {
    let sum = 0
    for (const item of items) sum += weightOf(item)
    let left = picks
    this.#heap = items.map((item, order) => {
      const weight = weightOf(item)
      // What it has had for certain; the few picks that are left over are taken one by one.
      const taken = Math.floor((weight * picks) / sum)
      left -= taken
      this.#now = Math.max(this.#now, taken / weight)
      return { deadline: (taken + 1) / weight, order, item }
    })
    this.#order = items.length
    for (let i = (items.length >> 1) - 1; i >= 0; i--) this.#sink(i)
    for (; left > 0; left--) this.next(weightOf)
  }

  /** The next item; it is put back with the weight that `weightOf` gives now. */
  next(weightOf: (item: T) => number): T {
    const entry = this.#heap[0] as Entry<T>
    this.#now = entry.deadline
    entry.deadline = this.#now + 1 / weightOf(entry.item)
    entry.order = this.#order++
    this.#sink(0)
    return entry.item
  }

  #sink(start: number): void {
    const heap = this.#heap
    let i = start
    for (;;) {
      const left = 2 * i + 1
      const right = left + 1
      let least = i
      if (left < heap.length && before(heap[left] as Entry<T>, heap[least] as Entry<T>)) least = left
      if (right < heap.length && before(heap[right] as Entry<T>, heap[least] as Entry<T>)) least = right
      if (least === i) return
      const held = heap[i] as Entry<T>
      heap[i] = heap[least] as Entry<T>
      heap[least] = held
      i = least
    }
  }
}

function before(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order)
}

/** The scheduler that hosts need whose weights are not equal, or change; undefined where taking turns is as good. */
export function schedulerOf(
  hosts: readonly Host[],
  weightOf: (host: Host) => number,
  weightsChange: boolean,
  picks: number,
): EdfScheduler<Host> | undefined {
  const first = hosts[0]?.plan.weight
  const isNeeded = hosts.length > 1 && (weightsChange || hosts.some((host) => host.plan.weight !== first))
  return isNeeded ? new EdfScheduler(hosts, weightOf, picks) : undefined
}

/** What Envoy draws for the picks that are taken in advance: a number of 32 bits. */
export const PICKS_BOUND = 2 ** 32
