import type { JsonObject } from '@bufbuild/protobuf'
import type { FieldAction, FieldChange } from '../../../decide/field-change.ts'

/** What a server has said of a call. */
export type CheckResult =
  | {
      readonly kind: 'ok'
      readonly requestFields: readonly FieldChange[]
      readonly fieldsToRemove: readonly string[]
      readonly responseFields: readonly FieldChange[]
      readonly queryToSet: readonly (readonly [name: string, value: string])[]
      readonly queryToRemove: readonly string[]
      readonly metadata: JsonObject | undefined
    }
  | {
      readonly kind: 'denied'
      readonly status: number
      readonly fields: readonly FieldChange[]
      readonly body: Buffer
      readonly metadata: JsonObject | undefined
    }
  | { readonly kind: 'error' }
  /** There is more of a body than may be told. */
  | { readonly kind: 'too_large' }

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
/** A line end would begin another field. */
const UNFIT = /[\0-\x08\x0a-\x1f\x7f]/

/** Fields that say how a message is delimited, or for whom it is: no server of verdicts changes them. */
const FORBIDDEN = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'keep-alive', 'te'])

/** undefined for what cannot stand in a head, or must not be changed. */
export function fieldChange(name: string, value: string, action: FieldAction): FieldChange | undefined {
  const lower = name.toLowerCase()
  if (!NAME.test(lower) || FORBIDDEN.has(lower) || UNFIT.test(value)) return undefined
  return { name: lower, value: Buffer.from(value, 'utf8').toString('latin1'), action }
}

export function mayRemove(name: string): boolean {
  return NAME.test(name) && !FORBIDDEN.has(name)
}
