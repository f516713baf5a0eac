import type { Clock, Timer } from '../../lib/clock.ts'

/** Where observers put what they found. After close() it may still be written to, by calls that began before: it drops that, and counts it. */
export interface Sink {
  /** Writes out what is held, as far as that can be done without waiting, and lets everything go. */
  close(): void
  /** The file that it writes to was moved away. */
  reopen?(): void
  /** At the end of the process, before close(): sends what it holds. Resolves when that has gone, or cannot go now. */
  flush?(): Promise<void>
}

/** Names what kind of sink it is and all that makes it another one, as `file /dev/stdout`. */
export type SinkKey = string

/** How long a sink is kept that no observer of the plan wants any more: calls that began before may still end. */
const LINGER_MS = 60_000

/** The sinks of one thread, by their keys. */
export class Sinks {
  readonly #clock: Clock
  readonly #byKey = new Map<SinkKey, Sink>()
  #wanted = new Set<SinkKey>()
  #isClosed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get<T extends Sink>(key: SinkKey, make: () => T): T {
    this.#wanted.add(key)
    const found = this.#byKey.get(key)
    if (found !== undefined) return found as T
    const made = make()
    this.#byKey.set(key, made)
    return made
  }

  /** Calls `create`, which asks for all that is wanted from now on. */
  renew(create: () => void): void {
    this.#wanted = new Set()
    create()
    if ([...this.#byKey.keys()].every((key) => this.#wanted.has(key))) return
    this.#clock.setTimer(LINGER_MS, () => this.#closeUnwanted())
  }

  #closeUnwanted(): void {
    if (this.#isClosed) return
    for (const [key, sink] of this.#byKey) {
      if (this.#wanted.has(key)) continue
      this.#byKey.delete(key)
      sink.close()
    }
  }

  reopen(): void {
    for (const sink of this.#byKey.values()) sink.reopen?.()
  }

  /** All send what they hold, at once; it is waited for no longer than so. */
  async flush(deadlineMs: number): Promise<void> {
    const flushes = [...this.#byKey.values()].flatMap((sink) => sink.flush?.() ?? [])
    if (flushes.length === 0) return
    let timer: Timer | undefined
    const isLate = new Promise<void>((resolve) => {
      timer = this.#clock.setTimer(deadlineMs, resolve)
    })
    await Promise.race([Promise.all(flushes), isLate])
    timer?.cancel()
  }

  close(): void {
    this.#isClosed = true
    for (const sink of this.#byKey.values()) sink.close()
    this.#byKey.clear()
  }
}
