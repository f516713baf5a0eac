/*
 * Bytes are copied eight at a time: a typed array of bytes costs a load, a bounds check and a store for each of them, a DataView the same
 * for eight at any offset, and a call into the runtime more than either while they are few. What is left over is done by a last
 * group that overlaps the one before it, so that nothing outside of the range is read or written.
 */

/** Up to so many bytes of a message's head a copy by words beats a call into the runtime. */
export const WORDS_BYTES = 256

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Four bytes from `at` on as a signed integer, the first one lowest. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

/** Copies any number of bytes. The two ranges may not overlap. */
export function copyBytes(from: DataView, at: number, to: DataView, toAt: number, length: number): void {
  if (length >= 8) copyEights(from, at, to, toAt, length)
  else if (length >= 4) copyFours(from, at, to, toAt, length)
  else for (let i = 0; i < length; i++) to.setUint8(toAt + i, from.getUint8(at + i))
}

/** At least 8 bytes, as doubles: no other numbers of that size are at hand without objects. */
function copyEights(from: DataView, at: number, to: DataView, toAt: number, length: number): void {
  const last = length - 8
  for (let i = 0; ; i = Math.min(i + 8, last)) {
    const eight = from.getFloat64(at + i, true)
    // Of what is no number, one may become another (ECMA-262, NumericToRawBytes). A call from which the loop goes on would have the
    // views looked at anew each time.
    if (Number.isNaN(eight)) {
      copyFours(from, at + i, to, toAt + i, length - i)
      return
    }
    to.setFloat64(toAt + i, eight, true)
    if (i === last) return
  }
}

function copyFours(from: DataView, at: number, to: DataView, toAt: number, length: number): void {
  const last = length - 4
  for (let i = 0; i < last; i += 4) to.setInt32(toAt + i, from.getInt32(at + i, true), true)
  to.setInt32(toAt + last, from.getInt32(at + last, true), true)
}

export function equalBytes(one: DataView, at: number, other: DataView, otherAt: number, length: number): boolean {
  const last = length - 4
  if (last < 0) {
    for (let i = 0; i < length; i++) if (one.getUint8(at + i) !== other.getUint8(otherAt + i)) return false
    return true
  }
  for (let i = 0; i < last; i += 4) {
    if (one.getInt32(at + i, true) !== other.getInt32(otherAt + i, true)) return false
  }
  return one.getInt32(at + last, true) === other.getInt32(otherAt + last, true)
}
