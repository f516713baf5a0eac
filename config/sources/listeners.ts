import type { ConfigSnapshot } from '../store.ts'

/** Those who want to know of changes. */
export class Listeners {
  readonly #listeners = new Set<(snapshot: ConfigSnapshot) => void>()

  add(listener: (snapshot: ConfigSnapshot) => void): () => void {
    // A wrapper of its own, so that one function may listen twice and stop once.
    const entry = (snapshot: ConfigSnapshot) => listener(snapshot)
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  call(snapshot: ConfigSnapshot): void {
    for (const listener of [...this.#listeners]) listener(snapshot)
  }

  clear(): void {
    this.#listeners.clear()
  }
}
