import { type Random, randomInt, seededRandom } from '../../lib/random.ts'
import type { Field } from './hpack.ts'

/*
 * Lists of fields as they come in traffic, with more chance: few names, among them those of the static table and long ones, and values
 * of which many come again.
 */

const NAMES = [
  'accept',
  'accept-encoding',
  'cache-control',
  'cookie',
  'x',
  'xy',
  'x-request-id',
  'x-user',
  'authorization',
  'grpc-timeout',
  'x-long-name-of-a-field-that-nobody-has-heard-of-yet-but-that-comes-again',
  "!#$%&'*+-.^_`|~0",
]
const COMMON = [
  '',
  'a',
  'gzip, deflate',
  'application/json',
  'no-cache, no-store',
  'x'.repeat(200),
  '\x80\xe9 \xff',
  '<{[~]}>',
]

export function pick<T>(random: Random, of: readonly T[]): T {
  return of[randomInt(random, of.length)] as T
}

/** Bytes that a value may hold, of which every value is a piece: to draw each byte anew would take most of a test's time. */
const POOL_CHARS = 16_384
const poolRandom = seededRandom(POOL_CHARS)
let pool = ''
for (let i = 0; i < POOL_CHARS; i++) {
  const kind = randomInt(poolRandom, 12)
  if (kind === 0) pool += pick(poolRandom, [' ', '\t'])
  else pool += String.fromCharCode(kind < 4 ? 128 + randomInt(poolRandom, 128) : 33 + randomInt(poolRandom, 94))
}

/** A value without blanks at its ends. */
export function randomValue(random: Random, mostBytes: number): string {
  const start = randomInt(random, POOL_CHARS - mostBytes)
  return pool.slice(start, start + randomInt(random, mostBytes + 1)).replace(/^[ \t]+|[ \t]+$/g, '')
}

/** Between none and 20 fields; now and then one that is larger than any table. */
export function randomFields(random: Random, names: readonly string[] = NAMES): Field[] {
  return Array.from({ length: randomInt(random, 21) }, () => {
    const name = randomInt(random, 5) === 0 ? `x-${randomInt(random, 60)}` : pick(random, names)
    const kind = randomInt(random, 100)
    if (kind < 60) return [name, pick(random, COMMON)]
    if (kind < 80) return [name, `value-${randomInt(random, 40)}`]
    return [name, randomValue(random, kind === 99 ? 5000 : 60)]
  })
}
