import { putUuid } from '../../lib/random.ts'
import { FieldBatch } from './field-batch.ts'
import type { HeaderBlock } from './header-block.ts'

/** So many are made at once, while what makes them is at hand. */
const BATCH = 64
const BLANK = '00000000-0000-0000-0000-000000000000'

/** Identifiers of requests: UUIDs, each a field of its request. */
export class RequestIds {
  #batch: FieldBatch | undefined
  #next = 0

  addTo(head: HeaderBlock): void {
    let batch = this.#batch
    if (batch === undefined || this.#next === batch.end) {
      batch = madeBatch()
      this.#batch = batch
      this.#next = 0
    }
    head.appendOf(batch, this.#next)
    this.#next += batch.lineLength
  }
}

function madeBatch(): FieldBatch {
  const batch = new FieldBatch('x-request-id', BLANK, BATCH)
  const { view, valueOffset, lineLength, end } = batch
  for (let line = 0; line < end; line += lineLength) putUuid(view, line + valueOffset)
  return batch
}
