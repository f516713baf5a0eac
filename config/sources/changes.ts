/** More events than this may be more than the system kept. It keeps 16,384, so these are far from it. */
const MAX_EVENTS = 1000

/** What was announced since somebody last looked: paths, or that everything must be looked at. */
export class Changes {
  #paths = new Set<string>()
  #events = 0
  /** Nothing was ever looked at. */
  #isAnything = true

  /** Counts what the system told, whether it matters or not. */
  countEvent(): void {
    this.#events++
  }

  add(path: string): void {
    this.#paths.add(path)
  }

  addAll(paths: Iterable<string>): void {
    for (const path of paths) this.#paths.add(path)
  }

  /** It is not known what changed. */
  addAnything(): void {
    this.#isAnything = true
  }

  get isEmpty(): boolean {
    return this.#paths.size === 0 && !this.#isAnything
  }

  /** Begins anew. Undefined when anything may have changed. */
  take(): ReadonlySet<string> | undefined {
    const paths = this.#isAnything || this.#events > MAX_EVENTS ? undefined : this.#paths
    this.#paths = new Set()
    this.#events = 0
    this.#isAnything = false
    return paths
  }
}
