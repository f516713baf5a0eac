import type { Host } from '../host.ts'

interface Entry {
  deadline: number
  order: number
  host: Host
}

/**
 * Earliest deadline first: each host comes back after 1/weight of virtual time, so that any run of picks is as near to
 * the weights as it can be; ties go in the order of arrival (envoy's EdfScheduler). A binary heap.
 */
export class EdfScheduler {
  readonly #heap: Entry[] = []
  #now = 0
  #order = 0

  constructor(hosts: readonly Host[], weightOf: (host: Host) => number) {
    for (const host of hosts) this.#push({ deadline: 1 / weightOf(host), order: this.#order++, host })
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

  #push(entry: Entry): void {
    const heap = this.#heap
    heap.push(entry)
    let i = heap.length - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(heap[i] as Entry, heap[parent] as Entry)) return
      this.#swap(i, parent)
      i = parent
    }
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
      this.#swap(i, least)
      i = least
    }
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    const held = heap[a] as Entry
    heap[a] = heap[b] as Entry
    heap[b] = held
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order)
}
