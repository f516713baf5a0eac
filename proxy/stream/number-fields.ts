import { type FieldBatch, sharedField } from './field-batch.ts'
import type { HeaderBlock } from './header-block.ts'

const PLACES = 256

/**
 * Fields of one name that say a number, such as a time. Most messages say one of few: one number of each remainder is remembered,
 * and its field is made when it comes again.
 */
export class NumberFields {
  readonly #name: string
  readonly #numbers = new Int32Array(PLACES)
  readonly #fields: (FieldBatch | undefined)[] = new Array(PLACES).fill(undefined)

  constructor(name: string) {
    this.#name = name
  }

  /** `number` is no negative one. */
  appendTo(head: HeaderBlock, number: number): void {
    const place = number % PLACES
    if (this.#numbers[place] !== number) {
      this.#numbers[place] = number
      this.#fields[place] = undefined
      head.append(this.#name, String(number))
      return
    }
    const field = this.#fields[place] ?? sharedField(this.#name, String(number))
    this.#fields[place] = field
    head.appendOf(field)
  }
}
