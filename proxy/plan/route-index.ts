import type { RoutePlan } from './plan.ts'

/** Fewer routes than this are looked at one after the other. */
const MIN_ROUTES = 12

/**
 * Finds the routes of a virtual host whose path specifier can match a path, in their order, without looking at the others.
 * Only path specifiers are indexed; everything else that a route asks for is judged as ever.
 */
export class RouteIndex {
  /** Route numbers by exact path, ascending; the same below. */
  readonly #exact = new Map<string, number[]>()
  readonly #prefixes = new Map<string, number[]>()
  /** Lengths of the prefixes, each once. */
  readonly #lengths: readonly number[]
  /** Routes that have to be looked at for every path: patterns, CONNECT, those that ignore case. */
  readonly #others: number[] = []
  /** Lists that may hold the next match, and how far each has been read. Used again for every search. */
  readonly #lists: (readonly number[])[] = []
  readonly #read: number[] = []
  #listCount = 0

  private constructor(routes: readonly RoutePlan[]) {
    const lengths = new Set<number>()
    for (const [i, { match }] of routes.entries()) {
      const { path } = match
      if (path.kind === 'regex' || path.kind === 'connect' || path.ignoreCase) this.#others.push(i)
      else if (path.kind === 'path') add(this.#exact, path.value, i)
      else {
        add(this.#prefixes, path.value, i)
        lengths.add(path.value.length)
      }
    }
    this.#lengths = [...lengths].sort((a, b) => a - b)
  }

  /** undefined where looking at all routes is as good. */
  static of(routes: readonly RoutePlan[]): RouteIndex | undefined {
    return routes.length < MIN_ROUTES ? undefined : new RouteIndex(routes)
  }

  /** Begins a search; `path` is without its query. */
  start(path: string): void {
    this.#listCount = 0
    this.#take(this.#exact.get(path))
    for (const length of this.#lengths) {
      if (length > path.length) break
      this.#take(this.#prefixes.get(length === path.length ? path : path.slice(0, length)))
    }
    if (this.#others.length > 0) this.#take(this.#others)
  }

  #take(list: readonly number[] | undefined): void {
    if (list === undefined) return
    this.#lists[this.#listCount] = list
    this.#read[this.#listCount++] = 0
  }

  /** The number of the next route to look at, or -1. */
  next(): number {
    let best = -1
    let bestList = -1
    for (let i = 0; i < this.#listCount; i++) {
      const candidate = (this.#lists[i] as readonly number[])[this.#read[i] as number]
      if (candidate !== undefined && (best < 0 || candidate < best)) {
        best = candidate
        bestList = i
      }
    }
    if (bestList >= 0) this.#read[bestList]!++
    return best
  }
}

function add(map: Map<string, number[]>, key: string, route: number): void {
  const found = map.get(key)
  if (found === undefined) map.set(key, [route])
  else found.push(route)
}
