import { randomFillSync, randomUUID } from 'node:crypto'
import { hexDigits } from './hex.ts'

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

const BITS_32 = 0x1_0000_0000
/** Until states that were alike are no more. */
const WARM_UP_DRAWS = 12

/**
 * Words of 32 random bits by the generator sfc32 of PractRand, seeded by a Random: where many are drawn, numbers of that would be
 * objects on the heap. Never for secrets.
 */
export class RandomWords {
  readonly #state: Int32Array

  constructor(random: Random) {
    this.#state = Int32Array.from({ length: 4 }, () => (random.next() * BITS_32) | 0)
    for (let i = 0; i < WARM_UP_DRAWS; i++) this.next()
  }

  /** A signed integer. */
  next(): number {
    const state = this.#state
    const b = state[1] as number
    const c = state[2] as number
    const counter = ((state[3] as number) + 1) | 0
    const word = ((state[0] as number) + b + counter) | 0
    state[0] = b ^ (b >>> 9)
    state[1] = (c + (c << 3)) | 0
    state[2] = (((c << 21) | (c >>> 11)) + word) | 0
    state[3] = counter
    return word
  }
}

/** An integer in [0, bound). */
export function randomInt(random: Random, bound: number): number {
  return Math.floor(random.next() * bound)
}

/** Of 1,024 UUIDs: to ask for few takes as long as the bytes of many. */
const pool = Buffer.allocUnsafeSlow(16 * 1024)
let drawn = pool.length
/** Where the four digits of each word of two bytes stand. */
const PLACES = Uint8Array.of(0, 4, 9, 14, 19, 24, 28, 32)
const VERSION_WORD = 3
const VARIANT_WORD = 4

/**
 * Puts the digits of a version 4 UUID (RFC 9562 section 5.4) from the system's generator where it begins at `at`, in lower case;
 * its dashes are there.
 */
export function putUuid(into: DataView, at: number): void {
  if (drawn === pool.length) {
    randomFillSync(pool)
    drawn = 0
  }
  for (let i = 0; i < PLACES.length; i++) {
    let word = ((pool[drawn] as number) << 8) | (pool[drawn + 1] as number)
    drawn += 2
    if (i === VERSION_WORD) word = (word & 0x0fff) | 0x4000
    else if (i === VARIANT_WORD) word = (word & 0x3fff) | 0x8000
    into.setUint32(at + (PLACES[i] as number), hexDigits(word))
  }
}

/** One as a text. */
export function randomUuid(): string {
  return randomUUID()
}
