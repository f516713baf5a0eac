import { describe, expect, test } from '@jest/globals'
import { randomInt, seededRandom } from './random.ts'
import { type Hash64, HashValue, hexOf, remainder, xxHash64, xxHash64OfLatin1 } from './xxhash64.ts'

const MASK = 0xffff_ffff_ffff_ffffn
const P1 = 0x9e3779b185ebca87n
const P2 = 0xc2b2ae3d27d4eb4fn
const P3 = 0x165667b19e3779f9n
const P4 = 0x85ebca77c2b2ae63n
const P5 = 0x27d4eb2f165667c5n

const rotl = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & MASK
const round = (acc: bigint, input: bigint) => (rotl((acc + input * P2) & MASK, 31n) * P1) & MASK

/** The specification, in big numbers: nothing of it is shared with the code under test. */
function specified(bytes: Buffer, seed: bigint): bigint {
  let hash: bigint
  let i = 0
  if (bytes.length >= 32) {
    const acc = [seed + P1 + P2, seed + P2, seed, seed - P1].map((x) => x & MASK)
    for (; i + 32 <= bytes.length; i += 32) {
      for (let lane = 0; lane < 4; lane++) acc[lane] = round(acc[lane]!, bytes.readBigUInt64LE(i + lane * 8))
    }
    hash = (rotl(acc[0]!, 1n) + rotl(acc[1]!, 7n) + rotl(acc[2]!, 12n) + rotl(acc[3]!, 18n)) & MASK
    for (const lane of acc) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK
  } else hash = (seed + P5) & MASK
  hash = (hash + BigInt(bytes.length)) & MASK
  for (; i + 8 <= bytes.length; i += 8) {
    hash = (rotl(hash ^ round(0n, bytes.readBigUInt64LE(i)), 27n) * P1 + P4) & MASK
  }
  if (i + 4 <= bytes.length) {
    hash = (rotl(hash ^ ((BigInt(bytes.readUInt32LE(i)) * P1) & MASK), 23n) * P2 + P3) & MASK
    i += 4
  }
  for (; i < bytes.length; i++) hash = (rotl(hash ^ ((BigInt(bytes[i]!) * P5) & MASK), 11n) * P1) & MASK
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK
  return hash ^ (hash >> 32n)
}

const out = new HashValue()
const numberOf = ({ high, low }: Hash64) => (BigInt(high) << 32n) | BigInt(low)

function hashOf(bytes: Buffer, seed = { high: 0, low: 0 }): bigint {
  xxHash64(bytes, 0, bytes.length, out, seed)
  return numberOf(out)
}

describe('xxHash64', () => {
  test.each([
    // The vectors of Envoy's test/common/common/hash_test.cc.
    ['foo', 3728699739546630719n],
    ['bar', 5234164152756840025n],
    ['foo\nbar', 8917841378505826757n],
    ['lyft', 4400747396090729504n],
    ['', 17241709254077376921n],
    // Of other implementations of the same specification.
    ['a', 0xd24ec4f1a98c6e5bn],
    ['abc', 0x44bc2cf5ad770999n],
  ])('of %j', (text, expected) => {
    expect(hashOf(Buffer.from(text))).toBe(expected)
    xxHash64OfLatin1(text, out)
    expect(numberOf(out)).toBe(expected)
  })

  test('every length up to 200, and any bytes and seed, as specified', () => {
    const seed = 20260
    const random = seededRandom(seed)
    for (let length = 0; length <= 200; length++) {
      for (let i = 0; i < 20; i++) {
        const bytes = Buffer.from(Array.from({ length }, () => randomInt(random, 256)))
        const high = i < 2 ? 0 : randomInt(random, 2 ** 32)
        const low = i < 2 ? i : randomInt(random, 2 ** 32)
        expect(hashOf(bytes, { high, low })).toBe(specified(bytes, numberOf({ high, low })))
      }
    }
  })

  test('a part of the bytes', () => {
    xxHash64(Buffer.from('xfoox'), 1, 4, out)
    expect(numberOf(out)).toBe(3728699739546630719n)
  })

  test('a text that is longer than most', () => {
    const text = '\xe4'.repeat(5000)
    xxHash64OfLatin1(text, out)
    expect(numberOf(out)).toBe(specified(Buffer.from(text, 'latin1'), 0n))
  })

  test('remainders and digits', () => {
    const random = seededRandom(7)
    for (let i = 0; i < 1000; i++) {
      const hash = { high: randomInt(random, 2 ** 32), low: randomInt(random, 2 ** 32) }
      const whole = (BigInt(hash.high) << 32n) | BigInt(hash.low)
      for (const divisor of [1, 2, 3, 65537, 65536, 5000011]) {
        expect(remainder(hash, divisor)).toBe(Number(whole % BigInt(divisor)))
      }
      expect(hexOf(hash)).toBe(whole.toString(16).padStart(16, '0'))
    }
  })
})
