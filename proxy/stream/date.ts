import type { Clock } from '../../lib/clock.ts'
import { type FieldBatch, sharedField } from './field-batch.ts'

/** The Date field (RFC 9110 section 6.6.1), formatted once a second. */
export class DateHeader {
  readonly #clock: Clock
  #second = -1
  #field = sharedField('date', '')

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get value(): string {
    return this.field.value(0)
  }

  get field(): FieldBatch {
    const second = Math.floor(this.#clock.wallMs() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#field = sharedField('date', new Date(second * 1000).toUTCString())
    }
    return this.#field
  }
}
