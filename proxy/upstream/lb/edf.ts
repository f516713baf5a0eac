import type { Host } from '../host.ts'

interface Entry {
  deadline: number
  order: number
  readonly host: Host
}

/**
 * Earliest deadline first: each host comes back after 1/weight of virtual time, so that any run of picks is as near to
 * the weights as it can be; ties go in the order of arrival (envoy's EdfScheduler). A binary heap.
 */
export class EdfScheduler {
  readonly #heap: Entry[]
  #now = 0
  #order: number

  /**
   * As if `picks` had been taken already (EdfScheduler::createWithPicks): else every proxy, and every one that is told of a
   * change, would begin with the heaviest host.
   */
  constructor(hosts: readonly Host[], weightOf: (host: Host) => number, picks = 0) {
    let sum = 0
    for (const host of hosts) sum += weightOf(host)
    let left = picks
    this.#heap = hosts.map((host, order) => {
      const weight = weightOf(host)
      // What it has had for certain; the few picks that are left over are taken one by one.
      const taken = Math.floor((weight * picks) / sum)
      left -= taken
      this.#now = Math.max(this.#now, taken / weight)
      return { deadline: (taken + 1) / weight, order, host }
    })
    this.#order = hosts.length
    for (let i = (hosts.length >> 1) - 1; i >= 0; i--) this.#sink(i)
    for (; left > 0; left--) this.next(weightOf)
  }

  /** The next host; it is put back with the weight that `weightOf` gives now. */
  next(weightOf: (host: Host) => number): Host {
    const entry = this.#heap[0] as Entry
    this.#now = entry.deadline
    entry.deadline = this.#now + 1 / weightOf(entry.host)
    entry.order = this.#order++
    this.#sink(0)
    return entry.host
  }

  #sink(start: number): void {
    const heap = this.#heap
    let i = start
    for (;;) {
      const left = 2 * i + 1
      const right = left + 1
      let least = i
      if (left < heap.length && before(heap[left] as Entry, heap[least] as Entry)) least = left
      if (right < heap.length && before(heap[right] as Entry, heap[least] as Entry)) least = right
      if (least === i) return
      const held = heap[i] as Entry
      heap[i] = heap[least] as Entry
      heap[least] = held
      i = least
    }
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order)
}

/** The scheduler that hosts need whose weights are not equal, or change; undefined where taking turns is as good. */
export function schedulerOf(
  hosts: readonly Host[],
  weightOf: (host: Host) => number,
  weightsChange: boolean,
  picks: number,
): EdfScheduler | undefined {
  const first = hosts[0]?.plan.weight
  const isNeeded = hosts.length > 1 && (weightsChange || hosts.some((host) => host.plan.weight !== first))
  return isNeeded ? new EdfScheduler(hosts, weightOf, picks) : undefined
}

/** What Envoy draws for the picks that are taken in advance: a number of 32 bits. */
export const PICKS_BOUND = 2 ** 32
