import type { TSchema } from '@sinclair/typebox'
import { DEPRECATED, UNSUPPORTED, UNSUPPORTED_VALUES } from '../../crds/schema.ts'
import type { FieldPath } from '../object.ts'
import { isPlainObject } from '../parse/objects.ts'
import type { Report } from '../report.ts'

/** The parts of a schema that tell where a value's fields are described. */
interface Shape {
  properties?: Record<string, TSchema>
  additionalProperties?: unknown
  items?: TSchema
}

/**
 * The same value without the null fields that its schema knows: a field that is null is absent, as in protobuf's
 * JSON. A null in a list, or under a key of the user's own, stays and is reported as a wrong type.
 */
export function withoutNulls(schema: TSchema, value: unknown): unknown {
  const shape = schema as Shape
  if (Array.isArray(value)) {
    const { items } = shape
    return items === undefined ? value : mapped(value, (item) => withoutNulls(items, item))
  }
  if (!isPlainObject(value)) return value
  let changed = false
  const entries: [string, unknown][] = []
  for (const [key, child] of Object.entries(value)) {
    const known = ownProperty(shape, key)
    if (known !== undefined && child === null) {
      changed = true
      continue
    }
    const childSchema = known ?? keyedSchema(shape)
    const cleaned = childSchema === undefined ? child : withoutNulls(childSchema, child)
    if (cleaned !== child) changed = true
    entries.push([key, cleaned])
  }
  return changed ? Object.freeze(Object.fromEntries(entries)) : value
}

function mapped(list: readonly unknown[], change: (item: unknown) => unknown): readonly unknown[] {
  const items = list.map(change)
  return items.some((item, index) => item !== list[index]) ? Object.freeze(items) : list
}

function ownProperty(shape: Shape, key: string): TSchema | undefined {
  return shape.properties !== undefined && Object.hasOwn(shape.properties, key) ? shape.properties[key] : undefined
}

function keyedSchema(shape: Shape): TSchema | undefined {
  const { additionalProperties } = shape
  return isPlainObject(additionalProperties) ? (additionalProperties as TSchema) : undefined
}

/** Names every field in use that has no effect yet or is deprecated. */
export function reportMarkedFields(schema: TSchema, value: unknown, path: FieldPath, report: Report): void {
  const reason: unknown = schema[UNSUPPORTED]
  const instead: unknown = schema[DEPRECATED]
  if (typeof instead === 'string') report.add('IST0002', path, `is deprecated: ${instead}`)
  if (typeof reason === 'string') {
    // Off is what it is anyway.
    if (value === false) return
    report.add('LTN0101', path, `has no effect: ${reason}`)
    return
  }
  if (typeof value === 'string') {
    const reasons: unknown = schema[UNSUPPORTED_VALUES]
    if (isPlainObject(reasons) && typeof reasons[value] === 'string') {
      report.add('LTN0101', path, `${value} has no effect: ${reasons[value]}`)
    }
    return
  }
  const shape = schema as Shape
  if (Array.isArray(value)) {
    const { items } = shape
    if (items === undefined || !isContainer(items)) return
    value.forEach((item, index) => {
      reportMarkedFields(items, item, [...path, index], report)
    })
  } else if (isPlainObject(value)) {
    for (const [key, child] of Object.entries(value)) {
      const childSchema = ownProperty(shape, key) ?? keyedSchema(shape)
      if (childSchema !== undefined) reportMarkedFields(childSchema, child, [...path, key], report)
    }
  }
}

function isContainer(schema: TSchema): boolean {
  return schema.type === 'object' || schema.type === 'array'
}
