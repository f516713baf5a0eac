import { randomUUID } from 'node:crypto'

/** The only door to randomness: everything else takes a Random, so that tests can fix it. */
export interface Random {
  /** A float in [0, 1). */
  next(): number
}

export const systemRandom: Random = { next: Math.random }

/**
 * A small seeded generator (mulberry32): same seed, same sequence. For tests and simulation, never for secrets. Two draws
 * make the 53 bits of one number: with fewer, what is left of it after a division would not be random.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const draw = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  return { next: () => ((draw() >>> 5) * 0x400_0000 + (draw() >>> 6)) / 0x20_0000_0000_0000 }
}

/** An integer in [0, bound). */
export function randomInt(random: Random, bound: number): number {
  return Math.floor(random.next() * bound)
}

/** A version 4 UUID (RFC 9562 section 5.4) from the system's generator, which node draws from for many at a time. */
export function randomUuid(): string {
  return randomUUID()
}
