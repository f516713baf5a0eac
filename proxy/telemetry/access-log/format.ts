import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { splitFormat } from '../../plan/command-operators.ts'
import { refuse } from '../../plan/plan-error.ts'
import type { Subject } from '../cel/attributes.ts'
import { bytesOf, escapeText, jsonString } from './escape.ts'
import type { OperatorContext, OperatorValue, ReadValue } from './operator.ts'
import { compileOperator } from './operators.ts'

/** Writes the entry of a call or connection. */
export interface LineFormat {
  /** Fields of answers that it reads, lower-case. */
  readonly responseFields: readonly string[]
  /** Bytes, one character each; a text line ends as its format says, one of JSON by a line feed. */
  write(subject: Subject): string
}

/** Envoy's default. */
export const DEFAULT_TEXT_FORMAT =
  '[%START_TIME%] "%REQUEST_HEADER(:METHOD)% %REQUEST_HEADER(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% ' +
  '%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESPONSE_HEADER(X-ENVOY-UPSTREAM-SERVICE-TIME)% ' +
  '"%REQUEST_HEADER(X-FORWARDED-FOR)%" "%REQUEST_HEADER(USER-AGENT)%" "%REQUEST_HEADER(X-REQUEST-ID)%" ' +
  '"%REQUEST_HEADER(:AUTHORITY)%" "%UPSTREAM_HOST%"\n'

export interface FormatOptions {
  /** What is not there is left out of JSON, and is nothing in texts, in the place of null and `-`. */
  readonly omitsEmpty: boolean
}

type Part = string | ReadValue

const OPERATOR = /%([A-Z0-9_]+)(?:\((.*?)\))?(?::(\d+))?%/y

/** Throws a PlanError for operators that are unknown, or written wrongly. */
export function compileTextFormat(text: string, path: string, { omitsEmpty }: FormatOptions): LineFormat {
  const context: OperatorContext = { path, responseFields: new Set() }
  const write = textWriter(compileParts(text, context), omitsEmpty ? '' : '-', escapeText)
  return { responseFields: [...context.responseFields], write }
}

function compileParts(text: string, context: OperatorContext): readonly Part[] {
  const unknown = (at: number) => refuse(context.path, `no operator at character ${at + 1} of ${JSON.stringify(text)}`)
  return Array.from(splitFormat(text, OPERATOR, unknown), (part) => {
    if (typeof part === 'string') return bytesOf(part)
    const read = compileOperator(part.name, part.args, context)
    return part.length === undefined ? read : truncated(read, part.length)
  })
}

function truncated(read: ReadValue, length: number): ReadValue {
  return (subject) => {
    const value = read(subject)
    return value === undefined || typeof value === 'number' ? value : textOf(value).slice(0, length)
  }
}

function textOf(value: Exclude<OperatorValue, undefined>): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' ? String(value) : bytesOf(JSON.stringify(value))
}

function textWriter(
  parts: readonly Part[],
  absent: string,
  escapeValue: (value: string) => string,
): (subject: Subject) => string {
  return (subject) => {
    let out = ''
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i] as Part
      if (typeof part === 'string') out += part
      else {
        const value = part(subject)
        if (typeof value === 'string') out += escapeValue(value)
        else if (value === undefined) out += absent
        else out += textOf(value)
      }
    }
    return out
  }
}

/** Of a text that is one value among others, which needs no escaping. */
export function compileValue(text: string, context: OperatorContext): (subject: Subject) => string {
  return textWriter(compileParts(text, context), '-', (value) => value)
}

/** Writes a JSON value; '' where there is none. */
type WriteJson = (subject: Subject) => string

/** Of a json_format: texts in it are formats, and one that is a single operator keeps the type of its value. */
export function compileJsonFormat(format: JsonObject, path: string, options: FormatOptions): LineFormat {
  const context: OperatorContext = { path, responseFields: new Set() }
  const write = objectWriter(format, context, options.omitsEmpty)
  return { responseFields: [...context.responseFields], write: (subject) => `${write(subject) || '{}'}\n` }
}

function jsonWriter(value: JsonValue, context: OperatorContext, omitsEmpty: boolean): WriteJson {
  if (typeof value === 'string') return stringWriter(value, context, omitsEmpty)
  if (Array.isArray(value)) {
    const writers = value.map((one) => jsonWriter(one, context, false))
    return (subject) => `[${writers.map((write) => write(subject)).join(',')}]`
  }
  if (value !== null && typeof value === 'object') return objectWriter(value, context, omitsEmpty)
  const text = JSON.stringify(value)
  return () => text
}

function stringWriter(text: string, context: OperatorContext, omitsEmpty: boolean): WriteJson {
  const parts = compileParts(text, context)
  const [only] = parts
  if (parts.length !== 1 || typeof only !== 'function') {
    const write = textWriter(parts, omitsEmpty ? '' : '-', (value) => value)
    return (subject) => jsonString(write(subject))
  }
  return (subject) => {
    const value = only(subject)
    if (typeof value === 'string') return jsonString(value)
    if (value === undefined) return omitsEmpty ? '' : 'null'
    return typeof value === 'number' ? String(value) : bytesOf(JSON.stringify(value))
  }
}

/** Keys come in their order, as in Envoy. */
function objectWriter(object: JsonObject, context: OperatorContext, omitsEmpty: boolean): WriteJson {
  const fields = Object.keys(object)
    .sort()
    .map((key) => ({
      key: `${jsonString(bytesOf(key))}:`,
      write: jsonWriter(object[key] as JsonValue, context, omitsEmpty),
    }))
  return (subject) => {
    let out = ''
    for (let i = 0; i < fields.length; i++) {
      const { key, write } = fields[i] as (typeof fields)[number]
      const value = write(subject)
      if (value === '') continue
      out += out === '' ? key : `,${key}`
      out += value
    }
    return omitsEmpty && out === '' ? '' : `{${out}}`
  }
}
