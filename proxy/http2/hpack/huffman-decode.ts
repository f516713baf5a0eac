import { FLAGS_OF } from './field-flags.ts'
import {
  CODE_BITS,
  CODE_COUNTS,
  CODES,
  EOS,
  FIRST_CODES,
  FIRST_SYMBOLS,
  LONGEST_CODE_BITS,
  SHORTEST_CODE_BITS,
  SYMBOLS,
} from './huffman-code.ts'

/** Bits that are looked up at once: two letters of a usual text, and a table of 16 KiB that stays in the cache. */
const STEP_BITS = 12
const STEP_MASK = (1 << STEP_BITS) - 1
/** Padding is shorter than a byte (RFC 7541 5.2). */
const MAX_PADDING_BITS = 7

/** Low bits of what `decodeHuffman` returns: the flags of the bytes. The number of bytes is above them. */
export const HUFFMAN_FLAG_BITS = 3
const FLAG_MASK = (1 << HUFFMAN_FLAG_BITS) - 1

const BITS_SHIFT = 16
const COUNT_SHIFT = 20
const FLAGS_SHIFT = 22

/**
 * What the next STEP_BITS bits begin with. From the low bits: first byte, second byte, bits of their codes together (4),
 * how many bytes they are (2; 0 is a code longer than this), and the flags of those bytes.
 */
const STEPS = new Int32Array(1 << STEP_BITS)

fillSteps()

function fillSteps(): void {
  for (let first = 0; first < EOS; first++) {
    const firstBits = CODE_BITS[first] as number
    if (firstBits > STEP_BITS) continue
    const alone = first | (firstBits << BITS_SHIFT) | (1 << COUNT_SHIFT) | ((FLAGS_OF[first] as number) << FLAGS_SHIFT)
    const start = (CODES[first] as number) << (STEP_BITS - firstBits)
    STEPS.fill(alone, start, start + (1 << (STEP_BITS - firstBits)))
    for (let second = 0; second < EOS; second++) {
      const bits = firstBits + (CODE_BITS[second] as number)
      if (bits > STEP_BITS) continue
      const flags = (FLAGS_OF[first] as number) | (FLAGS_OF[second] as number)
      const pair = first | (second << 8) | (bits << BITS_SHIFT) | (2 << COUNT_SHIFT) | (flags << FLAGS_SHIFT)
      const at = start + ((CODES[second] as number) << (STEP_BITS - bits))
      STEPS.fill(pair, at, at + (1 << (STEP_BITS - bits)))
    }
  }
}

/** Most bytes that `length` bytes of Huffman code can stand for, and one more that may be written over. */
export function huffmanBound(length: number): number {
  return Math.ceil((8 * length) / SHORTEST_CODE_BITS) + 1
}

/**
 * Decodes a string (RFC 7541 5.2) to `to` of `into`, where `huffmanBound` bytes have room. Returns the number of bytes
 * above HUFFMAN_FLAG_BITS bits of flags (field-flags.ts), or -1 for EOS in the string and for padding that is too long
 * or is not the beginning of EOS.
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, into: Uint8Array, to: number): number {
  let pos = start
  let out = to
  let seen = 0
  // The low `bits` bits of `window` are those not yet decoded of the bytes before `pos`.
  let window = 0
  let bits = 0
  for (;;) {
    if (bits < STEP_BITS) {
      if (end - pos >= 2) {
        window = (window << 16) | ((bytes[pos] as number) << 8) | (bytes[pos + 1] as number)
        pos += 2
        bits += 16
      } else {
        if (pos < end) {
          window = (window << 8) | (bytes[pos++] as number)
          bits += 8
        }
        if (bits < STEP_BITS) break
      }
    }
    const step = STEPS[(window >>> (bits - STEP_BITS)) & STEP_MASK] as number
    const count = (step >>> COUNT_SHIFT) & 3
    if (count === 0) {
      const bitAt = 8 * pos - bits
      const symbol = longSymbol(bytes, bitAt, end)
      if (symbol < 0) return -1
      into[out++] = symbol
      seen |= (FLAGS_OF[symbol] as number) << FLAGS_SHIFT
      const next = bitAt + (CODE_BITS[symbol] as number)
      pos = (next + 7) >>> 3
      bits = 8 * pos - next
      window = bits === 0 ? 0 : (bytes[pos - 1] as number)
      continue
    }
    into[out] = step
    into[out + 1] = step >>> 8
    out += count
    seen |= step
    bits -= (step >>> BITS_SHIFT) & 15
  }
  // Fewer bits than a step are left: filled up with the padding that must follow, they are taken one byte at a time.
  for (;;) {
    const missing = STEP_BITS - bits
    const step = STEPS[((window << missing) | ((1 << missing) - 1)) & STEP_MASK] as number
    const symbol = step & 255
    if (step === 0 || (CODE_BITS[symbol] as number) > bits) break
    into[out++] = symbol
    seen |= (FLAGS_OF[symbol] as number) << FLAGS_SHIFT
    bits -= CODE_BITS[symbol] as number
  }
  const ones = (1 << bits) - 1
  if (bits > MAX_PADDING_BITS || (window & ones) !== ones) return -1
  return ((out - to) << HUFFMAN_FLAG_BITS) | ((seen >>> FLAGS_SHIFT) & FLAG_MASK)
}

/** The symbol of a code longer than a step that begins at a bit of `bytes`; -1 if it is EOS or goes beyond the end. */
function longSymbol(bytes: Uint8Array, bitAt: number, end: number): number {
  let code = 0
  for (let bits = 1, at = bitAt; bits <= LONGEST_CODE_BITS && at < 8 * end; bits++, at++) {
    code = (code << 1) | (((bytes[at >>> 3] as number) >>> (7 - (at & 7))) & 1)
    const place = code - (FIRST_CODES[bits] as number)
    if (bits < SHORTEST_CODE_BITS || place >= (CODE_COUNTS[bits] as number)) continue
    const symbol = SYMBOLS[(FIRST_SYMBOLS[bits] as number) + place] as number
    return symbol === EOS ? -1 : symbol
  }
  return -1
}
