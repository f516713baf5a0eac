/** What a remembered result may depend on. Objects count by identity, the rest by value. */
export type MemoInput = object | string | number | boolean | undefined

interface Entry {
  value: unknown
  usedIn: number
  readonly parts: readonly Entry[]
}

interface Series<R> {
  readonly items: readonly object[]
  readonly beside: readonly object[]
  readonly values: readonly R[]
}

/** Results are forgotten this often, which takes a look at each of them. */
const SWEEP_ROUNDS = 4

/**
 * Remembers the results of pure functions by what went into them, so that what did not change is not made again and
 * keeps its identity. One round is one generation. In every fourth round it is noted what is used, and what that was
 * made with the help of; a result that was used in neither of two such rounds is forgotten.
 */
export class Memo {
  readonly #entries = new Map<string, Entry>()
  readonly #ids = new WeakMap<object, number>()
  /** The parts of the results that are being made, innermost last. */
  readonly #open: Entry[][] = []
  #nextId = 1
  #round = 0

  /** `make` must depend on nothing but `inputs`, and `kind` must name it. */
  get<T>(kind: string, inputs: readonly MemoInput[], make: () => T): T {
    const key = this.#keyOf(kind, inputs)
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = this.#make(make)
      this.#entries.set(key, entry)
    } else {
      this.#touch(entry)
    }
    this.#open.at(-1)?.push(entry)
    return entry.value as T
  }

  /**
   * `make` of every item, each remembered for as long as the item stays in the list; `inputs` are what all depend on
   * beside their item. The same array while no result changed. Costs next to nothing for items that stay where they were.
   */
  each<T extends object, R>(
    kind: string,
    items: readonly T[],
    inputs: readonly MemoInput[],
    make: (item: T) => R,
  ): readonly R[] {
    return this.eachPair(kind, items, items, inputs, make)
  }

  /** The same of two lists side by side. */
  eachPair<T extends object, U extends object, R>(
    kind: string,
    items: readonly T[],
    beside: readonly U[],
    inputs: readonly MemoInput[],
    make: (item: T, beside: U) => R,
  ): readonly R[] {
    const key = this.#keyOf(kind, inputs)
    const before = this.#entries.get(key)
    const held = before?.value as Series<R> | undefined
    const parts: Entry[] = []
    let places: Map<object, number> | undefined
    let isSame = held?.items.length === items.length
    for (const [i, item] of items.entries()) {
      const other = beside[i] as U
      let at: number | undefined = i
      if (held?.items[i] !== item) {
        places ??= new Map(held?.items.map((one, place) => [one, place]))
        at = places.get(item)
      }
      const known = at === undefined || held?.beside[at] !== other ? undefined : before?.parts[at]
      const part = known ?? this.#make(() => make(item, other))
      if (known !== undefined) this.#touch(known)
      parts.push(part)
      isSame &&= part.value === held?.values[i]
    }
    const values = isSame && held !== undefined ? held.values : parts.map((part) => part.value as R)
    const entry: Entry = { value: { items, beside, values }, usedIn: this.#round, parts }
    this.#entries.set(key, entry)
    this.#open.at(-1)?.push(entry)
    return values
  }

  /** The same array for the same members in the same order. */
  list<T extends object>(kind: string, members: readonly T[]): readonly T[] {
    return this.get(`list ${kind}`, members, () => members)
  }

  /** The same object for the same content. The content must be plain data. */
  intern<T extends object>(kind: string, value: T): T {
    return this.get(`intern ${kind}`, [JSON.stringify(value)], () => value)
  }

  /** Begins the next generation, and now and then forgets what has long not been used. */
  nextRound(): void {
    if (this.#isSweeping()) {
      for (const [key, entry] of this.#entries) {
        if (entry.usedIn <= this.#round - SWEEP_ROUNDS - 1) this.#entries.delete(key)
      }
    }
    this.#round++
  }

  get size(): number {
    return this.#entries.size
  }

  #make(make: () => unknown): Entry {
    const parts: Entry[] = []
    this.#open.push(parts)
    try {
      return { value: make(), usedIn: this.#round, parts }
    } finally {
      this.#open.pop()
    }
  }

  #isSweeping(): boolean {
    return this.#round % SWEEP_ROUNDS === SWEEP_ROUNDS - 1
  }

  /** Does nothing in most rounds: it is a walk through all that was ever made and is still in use. */
  #touch(entry: Entry): void {
    if (!this.#isSweeping() || entry.usedIn === this.#round) return
    entry.usedIn = this.#round
    for (const part of entry.parts) this.#touch(part)
  }

  #keyOf(kind: string, inputs: readonly MemoInput[]): string {
    let key = kind
    for (const input of inputs) {
      if (typeof input === 'object') key += `\u0000#${this.#idOf(input)}`
      else if (typeof input === 'string') key += `\u0000"${input}`
      else key += `\u0000${input}`
    }
    return key
  }

  #idOf(object: object): number {
    let id = this.#ids.get(object)
    if (id === undefined) {
      id = this.#nextId++
      this.#ids.set(object, id)
    }
    return id
  }
}
