import { randomFillSync } from 'node:crypto'
import { latin1 } from './latin1.ts'

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

const UUID_BYTES = 16
const UUID_LENGTH = 36
/** So many are made at once: a call of the runtime makes one text of all, of which each is a slice. */
const BATCH = 64
/** Entropy is drawn for several batches. */
const pool = Buffer.allocUnsafeSlow(4 * BATCH * UUID_BYTES)
let drawn = pool.length
const batch = Buffer.from('00000000-0000-0000-0000-000000000000'.repeat(BATCH), 'latin1')
/** Where the two digits of each byte stand. */
const PLACES = Uint8Array.of(0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34)
const DIGITS = Buffer.from('0123456789abcdef', 'latin1')
const VERSION_BYTE = 6
const VARIANT_BYTE = 8
let uuids = ''
let given = 0

/**
 * A version 4 UUID (RFC 9562 section 5.4) from the system's generator, which is drawn from for many at a time. It is a slice of the
 * text of many: who holds it holds them all.
 */
export function randomUuid(): string {
  if (given === uuids.length) makeUuids()
  const at = given
  given = at + UUID_LENGTH
  return uuids.slice(at, at + UUID_LENGTH)
}

function makeUuids(): void {
  if (drawn === pool.length) {
    randomFillSync(pool)
    drawn = 0
  }
  for (let start = 0; start < batch.length; start += UUID_LENGTH) {
    for (let i = 0; i < UUID_BYTES; i++) {
      let byte = pool[drawn++] as number
      if (i === VERSION_BYTE) byte = (byte & 0x0f) | 0x40
      else if (i === VARIANT_BYTE) byte = (byte & 0x3f) | 0x80
      const at = start + (PLACES[i] as number)
      batch[at] = DIGITS[byte >> 4] as number
      batch[at + 1] = DIGITS[byte & 15] as number
    }
  }
  uuids = latin1(batch, 0, batch.length)
  given = 0
}
