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

/** The lengths, as HeaderBlock.nameLengths has them. */
const LENGTHS = NAMES.reduce((bits, { length }) => bits | (1 << length), 0)

/**
 * Where those fields are, found in one look at the head: an index among the received fields, or beyond them among those that
 * were added. One is used again for every request.
 */
export class HeadPlaces {
  readonly places = new Int32Array(NAMES.length)
  /** How many fields there are of those whose texts stand behind all else: all but x-request-id. */
  textCount = 0

  find(head: HeaderBlock): void {
    const { at, count, bytes, base, addedCount } = head
    const { places } = this
    for (let i = 0; i < places.length; i++) places[i] = ABSENT
    this.textCount = 0
    // Where a request begins is seldom in the processor's caches any more when it ends.
    const received = (head.nameLengths & LENGTHS) === 0 ? 0 : count
    for (let i = 0; i < received; i++) {
      const start = at[i << 2] as number
      const length = (at[(i << 2) + 1] as number) - start
      const which = length < BY_LENGTH.length ? (BY_LENGTH[length] as number) : ABSENT
      if (which === ABSENT || head.isRemoved(i)) continue
      if (spells(bytes, base + start, NAMES[which] as string)) this.#note(which, i)
    }
    for (let i = 0; i < addedCount; i++) {
      const name = head.addedName(i)
      const { length } = name
      const which = length < BY_LENGTH.length ? (BY_LENGTH[length] as number) : ABSENT
      if (which === ABSENT) continue
      const wanted = NAMES[which] as string
      if (name === wanted || name.toLowerCase() === wanted) this.#note(which, count + i)
    }
  }

  #note(which: number, place: number): void {
    if (which !== REQUEST_ID) this.textCount++
    this.places[which] = this.places[which] === ABSENT ? place : SEVERAL
  }
}
