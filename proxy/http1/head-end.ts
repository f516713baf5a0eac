import { CR, LF } from './chars.ts'

const HEAD_END = Buffer.from('\r\n\r\n')
/** Of longer heads the rest is searched by the runtime, which is faster from there on. */
const LOOP_BYTES = 512

/** Where the first CRLF CRLF from `start` on begins; -1 where there is none. */
export function findHeadEnd(bytes: Buffer, start: number): number {
  const end = Math.min(bytes.length, start + LOOP_BYTES)
  // Where its last byte may be. A byte that is neither CR nor LF is in none, so the next can only end four places on.
  let at = start + 3
  while (at < end) {
    const byte = bytes[at] as number
    if (byte > CR) at += 4
    else if (byte === LF) {
      if (bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) return at - 3
      at += 2
    } else at++
  }
  return end === bytes.length ? -1 : bytes.indexOf(HEAD_END, Math.max(start, end - 3))
}
