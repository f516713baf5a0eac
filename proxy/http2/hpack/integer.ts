/*
 * Integers (RFC 7541 5.1). At most four bytes follow the prefix, which is more than any block of ours is long; a longer one, even of
 * zeros, is an error as the RFC asks of what is over an implementation's limits.
 */

const MAX_SHIFT = 21

/** Reads integers that do not fit their prefix; where the last one ended is kept here. */
export class IntegerReader {
  /** The byte after the integer. */
  end = 0

  /** Goes on at `pos`, after a prefix that was full and stands for `prefix`. -1 if it is too long or cut off. */
  read(bytes: Uint8Array, pos: number, end: number, prefix: number): number {
    let value = prefix
    for (let shift = 0; shift <= MAX_SHIFT && pos < end; shift += 7) {
      const byte = bytes[pos++] as number
      value += (byte & 127) << shift
      if (byte < 128) {
        this.end = pos
        return value
      }
    }
    return -1
  }
}

/** Writes an integer after the bits `high` of its first byte, of which `mask` are its own. Returns where it ends; at most 6 bytes. */
export function writeInteger(bytes: Uint8Array, at: number, high: number, mask: number, value: number): number {
  if (value < mask) {
    bytes[at] = high | value
    return at + 1
  }
  bytes[at++] = high | mask
  let rest = value - mask
  while (rest > 127) {
    bytes[at++] = (rest & 127) | 128
    rest >>>= 7
  }
  bytes[at] = rest
  return at + 1
}
