import { COLON, IS_TOKEN, IS_VALUE } from '../../http1/chars.ts'

/*
 * What is wrong with a name or value, as bits that are gathered while its bytes are copied. Fields keep theirs in the
 * dynamic table, so that one that is refused is refused wherever it is named again.
 */

/** The name holds a byte that is no tchar (RFC 9110 5.1, as RFC 9113 8.2.1 advises), or is empty. */
export const NAME_BAD = 1
/** The name holds a capital. */
export const NAME_UPPER = 2
/** The value holds a control character other than HTAB, or begins or ends with SP or HTAB. */
export const VALUE_BAD = 4

export const NAME_FLAGS = NAME_BAD | NAME_UPPER

/** The bits that each byte raises, in a name or in a value: mask with NAME_FLAGS or VALUE_BAD. */
export const FLAGS_OF = Uint8Array.from({ length: 256 }, (_, c) => {
  const isUpper = c >= 65 && c <= 90
  return (IS_TOKEN[c] === 1 ? 0 : NAME_BAD) | (isUpper ? NAME_UPPER : 0) | (IS_VALUE[c] === 1 ? 0 : VALUE_BAD)
})

/** The flags of a name that raised NAME_BAD, looked at again: a pseudo-header field begins with a colon. */
export function flagsOfName(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  if (start < end && bytes[start] === COLON) at++
  let flags = at === end ? NAME_BAD : 0
  while (at < end) flags |= FLAGS_OF[bytes[at++] as number] as number
  return flags & NAME_FLAGS
}
