import { wordAt } from './words.ts'

/** An unsigned number of 64 bits, in halves of 32. */
export interface Hash64 {
  readonly high: number
  readonly low: number
}

/** A Hash64 that is written to. */
export class HashValue implements Hash64 {
  high = 0
  low = 0

  set({ high, low }: Hash64): void {
    this.high = high
    this.low = low
  }
}

/*
 * XXH64 (the "xxHash fast digest algorithm", specification of Yann Collet), as Envoy's HashUtil::xxHash64. A number of 64 bits
 * has no type here that would not be allocated, so everything is done on halves of 32 bits.
 */

const P1H = 0x9e3779b1
const P1L = 0x85ebca87
const P2H = 0xc2b2ae3d
const P2L = 0x27d4eb4f
const P3H = 0x165667b1
const P3L = 0x9e3779f9
const P4H = 0x85ebca77
const P4L = 0xc2b2ae63
const P5H = 0x27d4eb2f
const P5L = 0x165667c5

/** Pairs of halves: the hash, then the four lanes of long inputs. */
const state = new Int32Array(10)
const HASH = 0
const LANES = 2

/** state[at] *= b */
function multiply(at: number, bHigh: number, bLow: number): void {
  const aHigh = state[at] as number
  const aLow = state[at + 1] as number
  const a0 = aLow & 0xffff
  const a1 = aLow >>> 16
  const b0 = bLow & 0xffff
  const b1 = bLow >>> 16
  const p00 = Math.imul(a0, b0)
  const p01 = Math.imul(a0, b1)
  const p10 = Math.imul(a1, b0)
  const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff)
  const carried = (Math.imul(a1, b1) + (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16)) | 0
  state[at] = (carried + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0
  state[at + 1] = (middle << 16) | (p00 & 0xffff)
}

function add(at: number, bHigh: number, bLow: number): void {
  const low = ((state[at + 1] as number) >>> 0) + (bLow >>> 0)
  state[at] = ((state[at] as number) + bHigh + (low > 0xffff_ffff ? 1 : 0)) | 0
  state[at + 1] = low | 0
}

/** By less than 32 bits. */
function rotate(at: number, by: number): void {
  const high = state[at] as number
  const low = state[at + 1] as number
  state[at] = (high << by) | (low >>> (32 - by))
  state[at + 1] = (low << by) | (high >>> (32 - by))
}

/** state[at] = rotl(state[at] + input * P2, 31) * P1, where `scratch` is state of nobody else. */
function round(at: number, inputHigh: number, inputLow: number, scratch: number): void {
  state[scratch] = inputHigh
  state[scratch + 1] = inputLow
  multiply(scratch, P2H, P2L)
  add(at, state[scratch] as number, state[scratch + 1] as number)
  rotate(at, 31)
  multiply(at, P1H, P1L)
}

function mixIn(inputHigh: number, inputLow: number): void {
  state[LANES] = 0
  state[LANES + 1] = 0
  round(LANES, inputHigh, inputLow, LANES + 2)
  state[HASH] = (state[HASH] as number) ^ (state[LANES] as number)
  state[HASH + 1] = (state[HASH + 1] as number) ^ (state[LANES + 1] as number)
}

const lanes = new Int32Array(8)

/** The hash of the lanes of 32 bytes each; returns where the rest begins. */
function hashStripes(bytes: Uint8Array, from: number, to: number, seed: Hash64): number {
  const start = [P1H, P1L, P2H, P2L, 0, 0, 0, 0]
  state.set(start, LANES)
  add(LANES, P2H, P2L)
  // 0 - P1
  add(LANES + 6, ~P1H, ~P1L)
  add(LANES + 6, 0, 1)
  for (let lane = LANES; lane < LANES + 8; lane += 2) add(lane, seed.high, seed.low)
  let i = from
  for (; i + 32 <= to; i += 32) {
    for (let lane = 0; lane < 4; lane++) {
      round(LANES + lane * 2, wordAt(bytes, i + lane * 8 + 4), wordAt(bytes, i + lane * 8), HASH)
    }
  }
  for (let k = 0; k < 8; k++) lanes[k] = state[LANES + k] as number
  rotate(LANES, 1)
  rotate(LANES + 2, 7)
  rotate(LANES + 4, 12)
  rotate(LANES + 6, 18)
  state[HASH] = 0
  state[HASH + 1] = 0
  for (let lane = LANES; lane < LANES + 8; lane += 2) add(HASH, state[lane] as number, state[lane + 1] as number)
  for (let lane = 0; lane < 8; lane += 2) {
    mixIn(lanes[lane] as number, lanes[lane + 1] as number)
    multiply(HASH, P1H, P1L)
    add(HASH, P4H, P4L)
  }
  return i
}

const NO_SEED: Hash64 = { high: 0, low: 0 }

/** The hash of `bytes` from `from` to `to`, written to `out`, which may be the seed. */
export function xxHash64(bytes: Uint8Array, from: number, to: number, out: HashValue, seed: Hash64 = NO_SEED): void {
  let i = from
  if (to - from >= 32) i = hashStripes(bytes, from, to, seed)
  else {
    state[HASH] = P5H
    state[HASH + 1] = P5L
    add(HASH, seed.high, seed.low)
  }
  add(HASH, 0, to - from)
  for (; i + 8 <= to; i += 8) {
    mixIn(wordAt(bytes, i + 4), wordAt(bytes, i))
    rotate(HASH, 27)
    multiply(HASH, P1H, P1L)
    add(HASH, P4H, P4L)
  }
  if (i + 4 <= to) {
    state[LANES] = 0
    state[LANES + 1] = wordAt(bytes, i)
    multiply(LANES, P1H, P1L)
    mixPlain()
    rotate(HASH, 23)
    multiply(HASH, P2H, P2L)
    add(HASH, P3H, P3L)
    i += 4
  }
  for (; i < to; i++) {
    state[LANES] = 0
    state[LANES + 1] = bytes[i] as number
    multiply(LANES, P5H, P5L)
    mixPlain()
    rotate(HASH, 11)
    multiply(HASH, P1H, P1L)
  }
  shiftIn(33)
  multiply(HASH, P2H, P2L)
  shiftIn(29)
  multiply(HASH, P3H, P3L)
  shiftIn(32)
  out.high = (state[HASH] as number) >>> 0
  out.low = (state[HASH + 1] as number) >>> 0
}

function mixPlain(): void {
  state[HASH] = (state[HASH] as number) ^ (state[LANES] as number)
  state[HASH + 1] = (state[HASH + 1] as number) ^ (state[LANES + 1] as number)
}

/** hash ^= hash >>> by */
function shiftIn(by: 29 | 32 | 33): void {
  const high = state[HASH] as number
  const low = state[HASH + 1] as number
  if (by >= 32) state[HASH + 1] = low ^ (high >>> (by - 32))
  else {
    state[HASH] = high ^ (high >>> by)
    state[HASH + 1] = low ^ ((low >>> by) | (high << (32 - by)))
  }
}

/** Longer texts are given bytes of their own. */
const scratch = Buffer.allocUnsafeSlow(4096)

/** The hash of a text whose characters are bytes, as those of header fields are. */
export function xxHash64OfLatin1(text: string, out: HashValue, seed: Hash64 = NO_SEED): void {
  if (text.length > scratch.length) {
    const bytes = Buffer.from(text, 'latin1')
    xxHash64(bytes, 0, bytes.length, out, seed)
    return
  }
  for (let i = 0; i < text.length; i++) scratch[i] = text.charCodeAt(i)
  xxHash64(scratch, 0, text.length, out, seed)
}

/** Of 0 to 2^53: what is left of a hash after dividing by `divisor`, which is at most 2^21 * 5 or so (its square is below 2^53). */
export function remainder({ high, low }: Hash64, divisor: number): number {
  return ((high % divisor) * (0x1_0000_0000 % divisor) + (low % divisor)) % divisor
}

/** Sixteen digits. */
export function hexOf({ high, low }: Hash64): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}
