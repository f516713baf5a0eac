import { isPlainObject } from '../../../config/parse/objects.ts'
import type { CheckResult, QuotaResult } from '../adapter.ts'

/** An answer that does not say how long it holds holds for this call and no other. */
const FOR_THIS_CALL = { validDurationMs: 0, validUseCount: 1 }
const MAX_CODE = 16

type Fields = Record<string, unknown>

/** What a webhook says of a call. Throws for what is no answer: a wrong field must not become leave to pass. */
export function checkAnswer(answer: unknown): CheckResult {
  const fields = fieldsOf(answer)
  const code = numberOf(fields, 'code', 0)
  if (!Number.isInteger(code) || code > MAX_CODE) throw new Error('code must be one of gRPC, 0 to 16')
  return {
    code,
    message: textOf(fields, 'message'),
    validDurationMs: numberOf(fields, 'validDurationMs', FOR_THIS_CALL.validDurationMs),
    validUseCount: numberOf(fields, 'validUseCount', FOR_THIS_CALL.validUseCount),
  }
}

export function quotaAnswer(answer: unknown): QuotaResult {
  const fields = fieldsOf(answer)
  if (fields.granted === undefined) throw new Error('granted must be given')
  const granted = numberOf(fields, 'granted', 0)
  return {
    granted,
    validDurationMs: numberOf(fields, 'validDurationMs', 0),
    maxAmount: numberOf(fields, 'maxAmount', granted),
    remaining: numberOf(fields, 'remaining', 0),
    resetMs: numberOf(fields, 'resetMs', 0),
  }
}

function fieldsOf(answer: unknown): Fields {
  if (!isPlainObject(answer)) throw new Error('the answer must be an object')
  return answer
}

function numberOf(fields: Fields, name: string, orElse: number): number {
  const value = fields[name] ?? orElse
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw new Error(`${name} must be a number`)
  return value
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name] ?? ''
  if (typeof value !== 'string') throw new Error(`${name} must be a text`)
  return value
}
