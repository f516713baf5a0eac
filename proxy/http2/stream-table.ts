const FIRST_SLOTS = 16

/** What it can hold: a stream knows its number. */
export interface Numbered {
  readonly id: number
}

/**
 * The streams of one connection that are open, by their numbers. Numbers count up in steps of two and streams come and go with
 * each request: a table of slots with linear probing takes and forgets them without an allocation, where a Map is laid out anew
 * every few streams. It grows to twice what was open at once, which the limit on concurrent streams bounds.
 */
export class StreamTable<Stream extends Numbered> {
  #slots: (Stream | undefined)[] = new Array(FIRST_SLOTS).fill(undefined)
  /** The number of the stream in each slot, 0 for none: to pass one over, nobody need look at it. */
  #ids = new Int32Array(FIRST_SLOTS)
  #mask = FIRST_SLOTS - 1
  #size = 0
  /** How many are not in the slot that their number names first. None mostly: numbers of streams that are open follow each other. */
  #astray = 0

  get size(): number {
    return this.#size
  }

  get(id: number): Stream | undefined {
    const ids = this.#ids
    const mask = this.#mask
    for (let at = (id >>> 1) & mask; ; at = (at + 1) & mask) {
      if (ids[at] === id) return this.#slots[at]
      if (ids[at] === 0) return undefined
    }
  }

  /** `stream` must not be in it, nor another of its number. */
  add(stream: Stream): void {
    // At most half full: a search ends soon, and always.
    if (2 * (this.#size + 1) > this.#slots.length) this.#grow()
    this.#size++
    this.#put(stream)
  }

  #put(stream: Stream): void {
    const ids = this.#ids
    const mask = this.#mask
    const { id } = stream
    const home = (id >>> 1) & mask
    let at = home
    while (ids[at] !== 0) at = (at + 1) & mask
    if (at !== home) this.#astray++
    ids[at] = id
    this.#slots[at] = stream
  }

  delete(id: number): void {
    const slots = this.#slots
    const ids = this.#ids
    const mask = this.#mask
    let hole = (id >>> 1) & mask
    for (; ; hole = (hole + 1) & mask) {
      if (ids[hole] === 0) return
      if (ids[hole] === id) break
    }
    this.#size--
    if (hole !== ((id >>> 1) & mask)) this.#astray--
    // Whoever was put behind the hole because it was taken moves into it, so that searches need not pass over holes.
    for (let at = (hole + 1) & mask; this.#astray > 0; at = (at + 1) & mask) {
      const other = ids[at] as number
      if (other === 0) break
      const home = (other >>> 1) & mask
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      slots[hole] = slots[at]
      ids[hole] = other
      if (hole === home) this.#astray--
      hole = at
    }
    slots[hole] = undefined
    ids[hole] = 0
  }

  /** Those that are open now, in no order. */
  values(): readonly Stream[] {
    return this.#slots.filter((stream) => stream !== undefined)
  }

  #grow(): void {
    const streams = this.values()
    this.#slots = new Array(2 * this.#slots.length).fill(undefined)
    this.#ids = new Int32Array(this.#slots.length)
    this.#mask = this.#slots.length - 1
    this.#astray = 0
    for (const stream of streams) this.#put(stream)
  }
}
