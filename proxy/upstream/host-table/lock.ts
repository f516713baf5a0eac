/** How long a thread waits for another to be done. What is done under the lock takes microseconds. */
const PATIENCE_MS = 200
const TURN_MS = 1

/** One thread at a time, by a word that says which. For rare and short work: who waits does nothing else meanwhile. */
export class ThreadLock {
  readonly #word: Int32Array
  readonly #holder: number

  constructor(word: Int32Array, thread: number) {
    this.#word = word
    this.#holder = thread + 1
  }

  /** False when it could not be had in time: nothing was run. */
  run(work: () => void): boolean {
    const word = this.#word
    for (let turn = 0; ; turn++) {
      const found = Atomics.compareExchange(word, 0, 0, this.#holder)
      if (found === 0) break
      if (turn >= PATIENCE_MS / TURN_MS) return false
      Atomics.wait(word, 0, found, TURN_MS)
    }
    try {
      work()
    } finally {
      Atomics.store(word, 0, 0)
      Atomics.notify(word, 0)
    }
    return true
  }

  /** Takes it from a thread that has ended. */
  static free(word: Int32Array, thread: number): void {
    Atomics.compareExchange(word, 0, thread + 1, 0)
  }
}
