import type { Clock } from '../../lib/clock.ts'

/** A certificate that a workload may still use. */
export interface IssuedLeaf {
  /** SPIFFE id. */
  readonly identity: string
  /** xDS id of the proxy that asked; '' when it did not say. */
  readonly node: string
  /** Fingerprint of who signed it. */
  readonly issuer: string
  readonly endMs: number
}

/** More certificates than a pilot gives at a time; when there are more, the rest are known by when the last of them ends. */
const MAX_LEAVES = 100_000

/**
 * Who has been given which certificate. A later one for the same proxy takes the place of the one before; those of which it is not
 * known whose they were are remembered until they end.
 */
export class LeafLedger {
  readonly #clock: Clock
  readonly #leaves = new Map<string, IssuedLeaf>()
  /** By issuer: when the last ends of all that were ever given. */
  readonly #lastEndMs: Map<string, number>
  /** The same of those that were given before this ledger began. */
  readonly #unseenEndMs: ReadonlyMap<string, number>
  #unnamed = 0

  /** `lastEndMs` is what another ledger knew, before this process. */
  constructor(clock: Clock, lastEndMs: ReadonlyMap<string, number> = new Map()) {
    this.#clock = clock
    this.#lastEndMs = new Map(lastEndMs)
    this.#unseenEndMs = new Map(lastEndMs)
  }

  add(leaf: IssuedLeaf): void {
    this.#lastEndMs.set(leaf.issuer, Math.max(leaf.endMs, this.#lastEndMs.get(leaf.issuer) ?? 0))
    if (this.#leaves.size >= MAX_LEAVES) this.#forgetEnded()
    if (this.#leaves.size >= MAX_LEAVES) return
    this.#leaves.set(leaf.node === '' ? `#${this.#unnamed++}` : `${leaf.identity} ${leaf.node}`, leaf)
  }

  /** The newest of each proxy, those that have ended left out. */
  current(): readonly IssuedLeaf[] {
    this.#forgetEnded()
    return [...this.#leaves.values()]
  }

  /** By issuer: when the last of its certificates ends, whoever has it. */
  get lastEnds(): ReadonlyMap<string, number> {
    return this.#lastEndMs
  }

  /** By issuer: when the last ends of its certificates that are not among the current ones, and may be anybody's. */
  get unseenEnds(): ReadonlyMap<string, number> {
    return this.#leaves.size < MAX_LEAVES ? this.#unseenEndMs : this.#lastEndMs
  }

  #forgetEnded(): void {
    const nowMs = this.#clock.wallMs()
    for (const [key, { endMs }] of this.#leaves) if (endMs <= nowMs) this.#leaves.delete(key)
  }
}
