import { type Static, type TProperties, type TSchema, type TUnsafe, Type } from '@sinclair/typebox'

/**
 * The vocabulary in which the kinds are written. One schema gives the static type, the validation and the CRD, so
 * it may hold only what a structural Kubernetes schema can say, besides the markers below.
 */

/** On a field that is not honoured yet: the reason, for the finding that names it. */
export const UNSUPPORTED = 'x-lateen-unsupported'
/** On an enum some of whose values are not honoured yet: value -> reason. */
export const UNSUPPORTED_VALUES = 'x-lateen-unsupported-values'
/** On a deprecated field: what to write instead, or what becomes of it. */
export const DEPRECATED = 'x-lateen-deprecated'

export const MARKERS = [UNSUPPORTED, UNSUPPORTED_VALUES, DEPRECATED] as const

export const UINT32_MAX = 4_294_967_295
export const INT32_MAX = 2_147_483_647

/** A message of Istio's API: fields that it does not know are errors. */
export function message<T extends TProperties>(properties: T, description?: string) {
  return Type.Object(properties, {
    additionalProperties: false,
    ...(description === undefined ? {} : { description }),
  })
}

/** An object of which we read only these fields: the others are allowed and say nothing to us. */
export function partial<T extends TProperties>(properties: T) {
  return Type.Object(properties, { additionalProperties: true })
}

/** A string that is one of `values`. */
export function oneOf<const T extends readonly string[]>(
  values: T,
  options: TSchema | object = {},
): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ ...options, type: 'string', enum: [...values] })
}

/** The same schema, marked as not honoured yet. */
export function unsupported<T extends TSchema>(schema: T, reason: string): T {
  return { ...schema, [UNSUPPORTED]: reason }
}

/** The same enum with some values marked as not honoured yet. */
export function unsupportedValues<T extends TSchema>(schema: T, reasons: Record<string, string>): T {
  return { ...schema, [UNSUPPORTED_VALUES]: reasons }
}

/** The same schema, marked as deprecated. */
export function deprecated<T extends TSchema>(schema: T, instead: string): T {
  return { ...schema, [DEPRECATED]: instead }
}

export const uint32 = (description?: string) =>
  Type.Integer({ minimum: 0, maximum: UINT32_MAX, ...(description === undefined ? {} : { description }) })

export const int32 = (description?: string) =>
  Type.Integer({ minimum: 0, maximum: INT32_MAX, ...(description === undefined ? {} : { description }) })

export const portNumber = () => Type.Integer({ minimum: 1, maximum: 65_535 })

/** A duration in Go's notation: `5s`, `0.5s`, `1h30m`, `100ms` (crds/duration.ts). At least a millisecond. */
export const duration = (description?: string) =>
  Type.String({ format: 'duration', ...(description === undefined ? {} : { description }) })

/** A duration of which zero is allowed and means "off". */
export const durationOrZero = (description?: string) =>
  Type.String({ format: DURATION_OR_ZERO, ...(description === undefined ? {} : { description }) })

export const DURATION_OR_ZERO = 'duration-or-zero'

/** An object with keys of the user's own, all of whose values are `value`. */
export function mapOf<T extends TSchema>(value: T, description?: string): TUnsafe<Record<string, Static<T>>> {
  return Type.Unsafe<Record<string, Static<T>>>({
    type: 'object',
    additionalProperties: value,
    ...(description === undefined ? {} : { description }),
  })
}

export const stringMap = (description?: string) => mapOf(Type.String(), description)

export const strings = (description?: string) =>
  Type.Array(Type.String(), description === undefined ? {} : { description })
