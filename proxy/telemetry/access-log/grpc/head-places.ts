import { type HeaderBlock, spells } from '../../../stream/header-block.ts'

/** Which fields of a request an entry has of its own. */
export const NAMES = ['user-agent', 'referer', 'x-forwarded-for', 'x-request-id', 'x-envoy-original-path'] as const
export const [USER_AGENT, REFERER, FORWARDED_FOR, REQUEST_ID, ORIGINAL_PATH] = [0, 1, 2, 3, 4] as const

/** There is none. */
export const ABSENT = -1
/** There are several. */
export const SEVERAL = -2

/** No two names are of one length, so that it tells which a field may be. */
const BY_LENGTH = new Int8Array(1 + Math.max(...NAMES.map(({ length }) => length))).fill(ABSENT)
NAMES.forEach(({ length }, which) => {
  BY_LENGTH[length] = which
})

/**
 * Where those fields are, found in one look at the head: an index among the received fields, or beyond them among those that
 * were added. One is used again for every request.
 */
export class HeadPlaces {
  readonly places = new Int32Array(NAMES.length)
  /** As HeaderBlock.textLength. */
  textLength = 0

  find(head: HeaderBlock): void {
    const { at, count, bytes, base, addedCount } = head
    const { places } = this
    for (let i = 0; i < places.length; i++) places[i] = ABSENT
    const { hasRemoved } = head
    let textLength = 0
    for (let i = 0; i < count; i++) {
      if (hasRemoved && head.isRemoved(i)) continue
      const from = i << 2
      const start = at[from] as number
      const length = (at[from + 1] as number) - start
      textLength += length + (at[from + 3] as number) - (at[from + 2] as number)
      const which = length < BY_LENGTH.length ? (BY_LENGTH[length] as number) : ABSENT
      if (which !== ABSENT && spells(bytes, base + start, NAMES[which] as string)) this.#note(which, i)
    }
    for (let i = 0; i < addedCount; i++) {
      const name = head.addedName(i)
      const { length } = name
      textLength += length + head.addedLength(i)
      const which = length < BY_LENGTH.length ? (BY_LENGTH[length] as number) : ABSENT
      if (which === ABSENT) continue
      const wanted = NAMES[which] as string
      if (name === wanted || name.toLowerCase() === wanted) this.#note(which, count + i)
    }
    this.textLength = textLength
  }

  #note(which: number, place: number): void {
    this.places[which] = this.places[which] === ABSENT ? place : SEVERAL
  }
}
