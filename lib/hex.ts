/**
 * The four hexadecimal digits of 16 bits as the four bytes of a number, the first digit in the uppermost: all at once, by arithmetic
 * in place of a table. DataView.setUint32() writes them as they are read.
 */
export function hexDigits(bits: number): number {
  const bytes = ((bits & 0xff00) << 8) | (bits & 0xff)
  const digits = ((bytes & 0x00f0_00f0) << 4) | (bytes & 0x000f_000f)
  // One for each digit beyond 9, whose characters begin so much later.
  const letters = ((digits + 0x0606_0606) >>> 4) & 0x0101_0101
  return digits + 0x3030_3030 + letters * BEFORE_LETTERS
}

/** The 16 bits of four hexadecimal digits of either case, as DataView.getUint32() reads them: what hexDigits() was given. */
export function ofHexDigits(digits: number): number {
  const values = (digits & 0x0f0f_0f0f) + ((digits >>> 6) & 0x0101_0101) * 9
  const pairs = values | (values >>> 4)
  return ((pairs >>> 8) & 0xff00) | (pairs & 0xff)
}

/** `a` - 10 - `0` */
const BEFORE_LETTERS = 39
