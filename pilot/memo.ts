/** What a remembered result may depend on. Objects count by identity, the rest by value. */
export type MemoInput = object | string | number | boolean | undefined

interface Entry {
  value: unknown
  usedIn: number
  readonly parts: Entry[]
}

/** How many rounds a result that nobody asks for is kept. */
const KEEP_ROUNDS = 4

/**
 * Remembers the results of pure functions by what went into them, so that what did not change is not made again and
 * keeps its identity. One round is one generation; a result is forgotten when some rounds passed without its use. A
 * result that was made with the help of others keeps those alive too.
 */
export class Memo {
  readonly #entries = new Map<string, Entry>()
  readonly #ids = new WeakMap<object, number>()
  readonly #open: Entry[] = []
  #nextId = 1
  #round = 0

  /** `make` must depend on nothing but `inputs`, and `kind` must name it. */
  get<T>(kind: string, inputs: readonly MemoInput[], make: () => T): T {
    const key = this.#keyOf(kind, inputs)
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = { value: undefined, usedIn: this.#round, parts: [] }
      this.#open.push(entry)
      try {
        entry.value = make()
      } finally {
        this.#open.pop()
      }
      this.#entries.set(key, entry)
    } else {
      this.#touch(entry)
    }
    this.#open.at(-1)?.parts.push(entry)
    return entry.value as T
  }

  /** The same array for the same members in the same order. */
  list<T extends object>(kind: string, members: readonly T[]): readonly T[] {
    return this.get(`list ${kind}`, members, () => members)
  }

  /** The same object for the same content. The content must be plain data. */
  intern<T extends object>(kind: string, value: T): T {
    return this.get(`intern ${kind}`, [JSON.stringify(value)], () => value)
  }

  /** Begins the next generation and forgets what has long not been used. */
  nextRound(): void {
    this.#round++
    for (const [key, entry] of this.#entries) {
      if (entry.usedIn < this.#round - KEEP_ROUNDS) this.#entries.delete(key)
    }
  }

  get size(): number {
    return this.#entries.size
  }

  #touch(entry: Entry): void {
    if (entry.usedIn === this.#round) return
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
