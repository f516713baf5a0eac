import { DURATION_OR_ZERO, MARKERS, UNSUPPORTED } from './schema.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

const KEPT = [
  'type',
  'description',
  'enum',
  'format',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'required',
] as const

/**
 * A schema of ours as a structural schema of apiextensions.k8s.io/v1: without our markers, and without
 * `additionalProperties: false`, which the API server does not take beside `properties` (it prunes unknown fields).
 */
export function toStructural(schema: Record<string, unknown>): Record<string, Json> {
  const out: Record<string, Json> = {}
  for (const key of KEPT) if (schema[key] !== undefined) out[key] = structuredClone(schema[key]) as Json
  if (out.format === DURATION_OR_ZERO) out.format = 'duration'
  const reason = schema[UNSUPPORTED]
  if (typeof reason === 'string') out.description = `${describe(out.description)}Has no effect: ${reason}.`
  const properties = schema.properties as Record<string, Record<string, unknown>> | undefined
  if (properties !== undefined) {
    const names = Object.keys(properties)
    if (names.length > 0) {
      out.properties = Object.fromEntries(names.map((name) => [name, toStructural(properties[name] ?? {})]))
    }
    if (schema.additionalProperties === true) out['x-kubernetes-preserve-unknown-fields'] = true
  } else if (isSchema(schema.additionalProperties)) {
    out.additionalProperties = toStructural(schema.additionalProperties)
  }
  if (isSchema(schema.items)) out.items = toStructural(schema.items)
  return out
}

function describe(description: Json | undefined): string {
  return typeof description === 'string' ? `${description} ` : ''
}

function isSchema(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const CONVERTED = new Set<string>([...KEPT, ...MARKERS, 'properties', 'additionalProperties', 'items'])

/** The keywords of a schema that toStructural does not know. A test holds that there are none. */
export function unknownKeywords(schema: Record<string, unknown>): string[] {
  const unknown = Object.keys(schema).filter((key) => !CONVERTED.has(key))
  const properties = Object.values((schema.properties ?? {}) as Record<string, Record<string, unknown>>)
  for (const child of [...properties, schema.items, schema.additionalProperties]) {
    if (isSchema(child)) unknown.push(...unknownKeywords(child))
  }
  return unknown
}
