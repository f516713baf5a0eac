import type { ValueType } from '../../crds/kinds/mixer.ts'

export { VALUE_TYPES, type ValueType } from '../../crds/kinds/mixer.ts'

/** By keys of the caller's own: read it with mapValue(). */
export type StringMap = Readonly<Record<string, string>>

/**
 * A value of an attribute: STRING, EMAIL_ADDRESS, URI, DNS_NAME and IP_ADDRESS (as canonicalIp() writes it) are strings; INT64 and DOUBLE
 * numbers; TIMESTAMP the milliseconds since the Unix epoch and DURATION milliseconds, both with fractions.
 */
export type Value = string | number | boolean | StringMap

/** Attributes and their types. */
export type AttributeTypes = ReadonlyMap<string, ValueType>

export function mapValue(map: StringMap, key: string): string | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined
}

/** What expressions read. */
export interface AttributeBag {
  /** undefined when it is absent. */
  get(name: string): Value | undefined
}

/** For tests, and for callers that have all values at hand. */
export class MapBag implements AttributeBag {
  readonly #values: ReadonlyMap<string, Value>

  constructor(values: Iterable<readonly [string, Value]>) {
    this.#values = new Map(values)
  }

  get(name: string): Value | undefined {
    return this.#values.get(name)
  }
}
