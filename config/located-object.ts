import type { Origin } from '../api/origin.ts'
import type { PlacedObject } from './load.ts'
import type { ConfigObject, FieldPath, ObjectMeta } from './object.ts'
import { type LineTree, lineAt } from './parse/lines.ts'

/** A ConfigObject that was read from text and knows its lines. */
export class LocatedObject implements ConfigObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly body: Record<string, unknown>
  readonly origin: Origin
  readonly age: number
  readonly #lines: LineTree
  readonly #firstLine: number

  constructor(placed: PlacedObject, age: number) {
    const { loaded, file, firstLine } = placed
    this.apiVersion = loaded.apiVersion
    this.kind = loaded.ref.kind
    this.metadata = loaded.metadata
    this.body = loaded.valid ? loaded.body : (loaded.standIn ?? loaded.body)
    this.age = age
    this.#lines = loaded.lines
    this.#firstLine = firstLine
    this.origin = Object.freeze({ ...loaded.ref, file, line: this.lineOf([]) })
    Object.freeze(this)
  }

  lineOf(path: FieldPath): number {
    return this.#firstLine + lineAt(this.#lines, path) - 1
  }
}
