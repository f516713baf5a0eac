/*
 * Bytes are hashed and made small four at a time, much as they are copied and compared (lib/words.ts): the last word overlaps the one
 * before it.
 */

/** Copies any number of bytes with ASCII capitals made small. */
export function copyLower(from: DataView, at: number, to: DataView, toAt: number, length: number): void {
  const last = length - 4
  if (last < 0) {
    for (let i = 0; i < length; i++) to.setUint8(toAt + i, lowerWord(from.getUint8(at + i)))
    return
  }
  for (let i = 0; i < last; i += 4) to.setInt32(toAt + i, lowerWord(from.getInt32(at + i, true)), true)
  to.setInt32(toAt + last, lowerWord(from.getInt32(at + last, true)), true)
}

/** Whether the first range with its ASCII capitals made small is the second. */
export function equalLower(one: DataView, at: number, lower: DataView, lowerAt: number, length: number): boolean {
  const last = length - 4
  if (last < 0) {
    for (let i = 0; i < length; i++) if (lowerWord(one.getUint8(at + i)) !== lower.getUint8(lowerAt + i)) return false
    return true
  }
  for (let i = 0; i < last; i += 4) {
    if (lowerWord(one.getInt32(at + i, true)) !== lower.getInt32(lowerAt + i, true)) return false
  }
  return lowerWord(one.getInt32(at + last, true)) === lower.getInt32(lowerAt + last, true)
}

/** A hash of the bytes in which ASCII capitals count as small ones (some other bytes fall together too). */
export function hashName(view: DataView, at: number, length: number): number {
  const last = at + length - 4
  let hash = length
  if (last < at) for (let i = 0; i < length; i++) hash = mix(hash, view.getUint8(at + i) | 0x20)
  else {
    for (let i = at; i < last; i += 4) hash = mix(hash, view.getInt32(i, true) | 0x20202020)
    hash = mix(hash, view.getInt32(last, true) | 0x20202020)
  }
  return hash
}

/** A hash of the bytes that goes on from another. */
export function hashBytes(view: DataView, at: number, length: number, seed: number): number {
  const last = at + length - 4
  let hash = seed ^ length
  if (last < at) for (let i = 0; i < length; i++) hash = mix(hash, view.getUint8(at + i))
  else {
    for (let i = at; i < last; i += 4) hash = mix(hash, view.getInt32(i, true))
    hash = mix(hash, view.getInt32(last, true))
  }
  return hash
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}

/** Sets bit 5 of each of the four bytes that is between A and Z. */
function lowerWord(word: number): number {
  const low = word & 0x7f7f7f7f
  // Bit 7 of a byte: of the first sum when it is over Z, of the second when it is A or more.
  const isCapital = ((low + 0x25252525) ^ (low + 0x3f3f3f3f)) & ~word & 0x80808080
  return word | (isCapital >>> 2)
}
