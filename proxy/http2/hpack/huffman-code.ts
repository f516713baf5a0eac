/*
 * The Huffman code (RFC 7541 Appendix B). It is canonical: codes of one length are given out in the order of the
 * symbols, and the first of the next length follows the last of this one, so that lengths alone define it.
 */

/** The symbol that may not occur in a string; its first bits pad the last byte. */
export const EOS = 256

export const SHORTEST_CODE_BITS = 5
export const LONGEST_CODE_BITS = 30

/** Bits of the code of each byte and of EOS. */
export const CODE_BITS = Uint8Array.from([
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
])

/** The code of each byte and of EOS, in its low bits. */
export const CODES = new Int32Array(EOS + 1)

/** By length: the first code of it, how many there are, and where their symbols begin in SYMBOLS. */
export const FIRST_CODES = new Int32Array(LONGEST_CODE_BITS + 1)
export const CODE_COUNTS = new Int32Array(LONGEST_CODE_BITS + 1)
export const FIRST_SYMBOLS = new Int32Array(LONGEST_CODE_BITS + 1)
/** The symbols in the order of their codes. */
export const SYMBOLS = new Int16Array(EOS + 1)

giveOut()

function giveOut(): void {
  let code = 0
  let given = 0
  for (let bits = SHORTEST_CODE_BITS; bits <= LONGEST_CODE_BITS; bits++) {
    code *= 2
    FIRST_CODES[bits] = code
    FIRST_SYMBOLS[bits] = given
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if (CODE_BITS[symbol] !== bits) continue
      CODES[symbol] = code++
      SYMBOLS[given++] = symbol
    }
    CODE_COUNTS[bits] = given - (FIRST_SYMBOLS[bits] as number)
  }
}
