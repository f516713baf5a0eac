import type { Clock } from '../../lib/clock.ts'
import { type FieldBatch, sharedField } from './field-batch.ts'

/** The Date field (RFC 9110 section 6.6.1), formatted once a second. */
export class DateHeader {
  readonly #clock: Clock
  #second = -1
  #text = ''
  #field: FieldBatch | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get value(): string {
    const second = Math.floor(this.#clock.wallMs() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#text = new Date(second * 1000).toUTCString()
      this.#field = undefined
    }
    return this.#text
  }

  get field(): FieldBatch {
    const { value } = this
    this.#field ??= sharedField('date', value)
    return this.#field
  }
}
