import type { TObject, TSchema } from '@sinclair/typebox'
import type { FieldPath } from '../../config/object.ts'
import { isPlainObject } from '../../config/parse/objects.ts'
import { Report } from '../../config/report.ts'
import { reportMarkedFields, withoutNulls } from '../../config/validate/fields.ts'
import { checkSchema } from '../../config/validate/schema.ts'
import type { Adapter } from '../adapters/adapter.ts'
import type { ModelReport } from './report.ts'
import { camelCase } from './templates.ts'

/** Around each schema, so that each is compiled once. */
const infos = new Map<TObject, { schema: TObject; kind: string }>()

/** The parameters of a handler, checked and with the names of fields in camel case; undefined when they are wrong, which is reported. */
export function readParams(
  adapter: Adapter,
  written: unknown,
  path: FieldPath,
  report: ModelReport,
): unknown | undefined {
  const params = withoutNulls(adapter.params, inCamelCase(adapter.params, written ?? {}))
  let info = infos.get(adapter.params)
  if (info === undefined) {
    info = { schema: adapter.params, kind: adapter.name }
    infos.set(adapter.params, info)
  }
  const found = new Report()
  checkSchema(info, params, found)
  if (!found.hasErrors) {
    reportMarkedFields(adapter.params, params, [], found)
    adapter.validate?.(params, (within, message) => report.error([...path, ...within], message))
  }
  for (const { code, path: within, message } of found.problems) {
    // The message of a report begins with its path already.
    const bare = message.slice(message.indexOf(': ') + 2)
    report.add(code, [...path, ...within], within.length === 0 ? message : bare)
  }
  return report.hasErrors ? undefined : params
}

interface Shape {
  properties?: Record<string, TSchema>
  items?: TSchema
}

/** protobuf's JSON takes `max_amount` for `maxAmount`. */
function inCamelCase(schema: TSchema, value: unknown): unknown {
  const { properties, items } = schema as Shape
  if (Array.isArray(value)) return items === undefined ? value : value.map((item) => inCamelCase(items, item))
  if (properties === undefined || !isPlainObject(value)) return value
  const entries = Object.entries(value).map(([key, child]) => {
    const camel = camelCase(key)
    const name = !Object.hasOwn(properties, key) && Object.hasOwn(properties, camel) ? camel : key
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined
    return [name, known === undefined ? child : inCamelCase(known, child)]
  })
  return Object.fromEntries(entries)
}
