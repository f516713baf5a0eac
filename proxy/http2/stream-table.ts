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
  #mask = FIRST_SLOTS - 1
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): Stream | undefined {
    const slots = this.#slots
    const mask = this.#mask
    for (let at = (id >>> 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at]
      if (stream === undefined || stream.id === id) return stream
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
    const slots = this.#slots
    const mask = this.#mask
    let at = (stream.id >>> 1) & mask
    while (slots[at] !== undefined) at = (at + 1) & mask
    slots[at] = stream
  }

  /** Its stream must still have the number that it was added with. */
  delete(id: number): void {
    const slots = this.#slots
    const mask = this.#mask
    let hole = (id >>> 1) & mask
    for (; ; hole = (hole + 1) & mask) {
      const stream = slots[hole]
      if (stream === undefined) return
      if (stream.id === id) break
    }
    this.#size--
    // Whoever was put behind the hole because it was taken moves into it, so that searches need not pass over holes.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at]
      if (stream === undefined) break
      const home = (stream.id >>> 1) & mask
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      slots[hole] = stream
      hole = at
    }
    slots[hole] = undefined
  }

  /** Those that are open now, in no order. */
  values(): readonly Stream[] {
    return this.#slots.filter((stream) => stream !== undefined)
  }

  #grow(): void {
    const streams = this.values()
    this.#slots = new Array(2 * this.#slots.length).fill(undefined)
    this.#mask = this.#slots.length - 1
    for (const stream of streams) this.#put(stream)
  }
}
