import { randomBytes } from 'node:crypto'

/** The only door to randomness: everything else takes a Random, so that tests can fix it. */
export interface Random {
  /** A float in [0, 1). */
  next(): number
}

export const systemRandom: Random = { next: Math.random }

/** A small seeded generator (mulberry32): same seed, same sequence. For tests and simulation, never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0
      let t = state
      t = Math.imul(t ^ (t >>> 15), t | 1)
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
      return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
    },
  }
}

/** An integer in [0, bound). */
export function randomInt(random: Random, bound: number): number {
  return Math.floor(random.next() * bound)
}

const POOL_BYTES = 4096
let pool = Buffer.alloc(0)
let poolAt = 0

/** A version 4 UUID (RFC 9562 section 5.4) from the system's generator, drawn from a pool of random bytes. */
export function randomUuid(): string {
  if (poolAt + 16 > pool.length) {
    pool = randomBytes(POOL_BYTES)
    poolAt = 0
  }
  pool[poolAt + 6] = (pool[poolAt + 6]! & 0x0f) | 0x40
  pool[poolAt + 8] = (pool[poolAt + 8]! & 0x3f) | 0x80
  const hex = pool.toString('hex', poolAt, poolAt + 16)
  poolAt += 16
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
