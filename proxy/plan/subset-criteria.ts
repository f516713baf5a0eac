import type { JsonObject, JsonValue } from '@bufbuild/protobuf'

/** Key and value, the value as JSON in one way of writing, so that equal values are equal texts. */
export type Criterion = readonly [key: string, value: string]

/** What the hosts of a subset have in their metadata (`envoy.lb`). */
export interface SubsetCriteria {
  /** Sorted by key. */
  readonly entries: readonly Criterion[]
  /** Equal for equal entries. */
  readonly id: string
  /** Equal for equal keys. */
  readonly keysId: string
}

export function subsetCriteria(entries: readonly Criterion[]): SubsetCriteria {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1))
  return { entries: sorted, id: JSON.stringify(sorted), keysId: keysId(sorted.map(([key]) => key)) }
}

export function keysId(keys: readonly string[]): string {
  return JSON.stringify([...new Set(keys)].sort())
}

export function criteriaOfStruct(struct: JsonObject | undefined): readonly Criterion[] {
  return Object.entries(struct ?? {}).map(([key, value]) => [key, valueText(value)])
}

/** JSON with the keys of objects sorted. */
export function valueText(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, inner]) => `${JSON.stringify(key)}:${valueText(inner)}`).join()}}`
}
