/*
 * Values of CEL as closures pass them on: booleans, strings, null, integers as numbers, lists as arrays, maps as plain objects
 * or FieldMap, bytes as Uint8Array, and the classes below. What failed is FAILED: it is passed on like a value, since an
 * exception for each request that lacks a field would cost more than the whole expression.
 */

/** An evaluation that came to nothing: a missing key, operands that do not go together. */
export const FAILED = Symbol('failed')

/** A floating-point number, told from integers because `/` and string() differ. */
export class Double {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** Milliseconds of the Unix epoch. */
export class Timestamp {
  readonly ms: number

  constructor(ms: number) {
    this.ms = ms
  }
}

export class Duration {
  readonly ms: number

  constructor(ms: number) {
    this.ms = ms
  }
}

/** A map that is not copied to be asked: a message's header fields. */
export interface FieldMap {
  readonly isFieldMap: true
  get(key: string): string | undefined
  /** For size() and for going through it. */
  keys(): string[]
}

export function isFieldMap(value: unknown): value is FieldMap {
  return typeof value === 'object' && value !== null && 'isFieldMap' in value
}

export function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** A JSON value as CEL has it: its numbers are floating-point. */
export function ofJson(value: unknown): unknown {
  if (typeof value === 'number') return new Double(value)
  if (Array.isArray(value)) return value.map(ofJson)
  if (!isPlainMap(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, ofJson(one)]))
}

/** The value of a number of either kind, else undefined. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  return value instanceof Double ? value.value : undefined
}

export function equals(left: unknown, right: unknown): boolean {
  if (left === right) return true
  const number = numberOf(left)
  if (number !== undefined) return number === numberOf(right)
  if (left instanceof Timestamp) return right instanceof Timestamp && left.ms === right.ms
  if (left instanceof Duration) return right instanceof Duration && left.ms === right.ms
  if (left instanceof Uint8Array) return right instanceof Uint8Array && Buffer.compare(left, right) === 0
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false
    return left.every((one, i) => equals(one, right[i]))
  }
  if (!isPlainMap(left) || !isPlainMap(right)) return false
  const keys = Object.keys(left)
  if (keys.length !== Object.keys(right).length) return false
  return keys.every((key) => Object.hasOwn(right, key) && equals(left[key], right[key]))
}

/** Below 0, 0 or above, as the left one is less, equal or more; undefined for what has no order. */
export function compare(left: unknown, right: unknown): number | undefined {
  if (typeof left === 'string') return typeof right === 'string' ? compareTexts(left, right) : undefined
  const number = numberOf(left)
  if (number !== undefined) {
    const other = numberOf(right)
    return other === undefined ? undefined : number - other
  }
  if (typeof left === 'boolean') return typeof right === 'boolean' ? Number(left) - Number(right) : undefined
  if (left instanceof Timestamp) return right instanceof Timestamp ? left.ms - right.ms : undefined
  if (left instanceof Duration) return right instanceof Duration ? left.ms - right.ms : undefined
  if (left instanceof Uint8Array) return right instanceof Uint8Array ? Buffer.compare(left, right) : undefined
  return undefined
}

function compareTexts(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}

/** What `container[key]` is; FAILED where there is nothing. */
export function at(container: unknown, key: unknown): unknown {
  if (isFieldMap(container)) return (typeof key === 'string' ? container.get(key) : undefined) ?? FAILED
  if (Array.isArray(container)) {
    const index = numberOf(key)
    if (index === undefined || !Number.isInteger(index) || index < 0 || index >= container.length) return FAILED
    return container[index]
  }
  if (!isPlainMap(container)) return FAILED
  const name = keyOf(key)
  return name !== undefined && Object.hasOwn(container, name) ? container[name] : FAILED
}

/** A map's keys are kept as texts, as JSON has them. */
export function keyOf(key: unknown): string | undefined {
  if (typeof key === 'string') return key
  return typeof key === 'number' || typeof key === 'boolean' ? String(key) : undefined
}

/** `item in container`. */
export function isIn(item: unknown, container: unknown): unknown {
  if (Array.isArray(container)) return container.some((one) => equals(one, item))
  if (isFieldMap(container)) return typeof item === 'string' && container.get(item) !== undefined
  if (!isPlainMap(container)) return FAILED
  const name = keyOf(item)
  return name !== undefined && Object.hasOwn(container, name)
}

/** What a comprehension goes through: a list's items, a map's keys. */
export function itemsOf(container: unknown): readonly unknown[] | undefined {
  if (Array.isArray(container)) return container
  if (isFieldMap(container)) return container.keys()
  return isPlainMap(container) ? Object.keys(container) : undefined
}
