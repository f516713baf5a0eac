import { type Random, randomInt } from '../../lib/random.ts'
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

/** A value without blanks at its ends, of any byte that a value may hold. */
export function randomValue(random: Random, mostBytes: number): string {
  const length = randomInt(random, mostBytes + 1)
  let value = ''
  for (let i = 0; i < length; i++) {
    const code = randomInt(random, 3) === 0 ? 128 + randomInt(random, 128) : 33 + randomInt(random, 94)
    const isInside = i > 0 && i < length - 1
    value += isInside && randomInt(random, 8) === 0 ? pick(random, [' ', '\t']) : String.fromCharCode(code)
  }
  return value
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
