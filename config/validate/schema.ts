import { type ErrorObject, type ValidateFunction, Ajv as Validator } from 'ajv'
import { parseDurationMs } from '../../crds/duration.ts'
import type { KindInfo } from '../../crds/kinds.ts'
import { DURATION_OR_ZERO, MARKERS } from '../../crds/schema.ts'
import type { FieldPath } from '../object.ts'
import type { Report } from '../report.ts'
import { didYouMean } from './suggest.ts'

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/

function isWholeMs(text: string): number | undefined {
  const ms = parseDurationMs(text)
  return ms !== undefined && ms >= 0 && Number.isInteger(ms) ? ms : undefined
}

const ajv = new Validator({ allErrors: true, verbose: true, strict: true, allowUnionTypes: true })
for (const marker of MARKERS) ajv.addKeyword(marker)
ajv.addFormat('duration', (text: string) => (isWholeMs(text) ?? 0) >= 1)
ajv.addFormat(DURATION_OR_ZERO, (text: string) => isWholeMs(text) !== undefined)
ajv.addFormat('byte', BASE64)

const compiled = new Map<object, ValidateFunction>()

/** Kinds of which no value may be shown. */
export function isSecretKind(kind: string): boolean {
  return kind === 'Secret'
}

/** Reports every way in which `body` departs from the schema of its kind. */
export function checkSchema(info: Pick<KindInfo, 'schema'> & { kind?: string }, body: unknown, report: Report): void {
  let validate = compiled.get(info)
  if (validate === undefined) {
    validate = ajv.compile(info.schema)
    compiled.set(info, validate)
  }
  if (validate(body)) return
  const shown = isSecretKind(info.kind ?? '') ? kindOf : show
  for (const error of validate.errors ?? []) reportError(error, toPath(error.instancePath, body), report, shown)
}

/** A JSON pointer as a path; steps into lists become numbers. */
function toPath(pointer: string, body: unknown): FieldPath {
  const path: (string | number)[] = []
  let at = body
  for (const step of pointer.split('/').slice(1)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
    path.push(Array.isArray(at) ? Number(key) : key)
    at = (at as Record<string, unknown>)[key]
  }
  return path
}

/** `shown` says what was found. */
type Shown = (data: unknown) => string

function reportError(error: ErrorObject, path: FieldPath, report: Report, shown: Shown): void {
  switch (error.keyword) {
    case 'additionalProperties': {
      const name = String(error.params.additionalProperty)
      const known = Object.keys((error.parentSchema?.properties ?? {}) as object)
      const hint = didYouMean(name, known)
      report.error([...path, name], `unknown field${hint === '' ? `; known are ${known.join(', ')}` : hint}`)
      return
    }
    case 'required':
      report.error([...path, String(error.params.missingProperty)], 'must be given')
      return
    case 'type':
      report.error(path, wrongType(error, shown))
      return
    case 'enum': {
      const allowed = error.params.allowedValues as string[]
      const found = typeof error.data === 'string' ? didYouMean(error.data, allowed) : ''
      report.error(path, `must be one of ${allowed.join(', ')}, found ${shown(error.data)}${found}`)
      return
    }
    case 'format':
      report.error(path, `${FORMATS[String(error.params.format)] ?? 'is not well-formed'}, found ${shown(error.data)}`)
      return
    case 'minimum':
    case 'maximum':
      report.error(
        path,
        `must be ${String(error.params.comparison)} ${String(error.params.limit)}, found ${shown(error.data)}`,
      )
      return
    case 'minItems':
      report.error(path, `needs at least ${String(error.params.limit)} entry`)
      return
    case 'maxItems':
      report.error(path, `may have at most ${String(error.params.limit)} entries`)
      return
    default:
      report.error(path, error.message ?? 'is not valid')
  }
}

const FORMATS: Record<string, string> = {
  duration: 'must be a duration of whole milliseconds, at least 1ms, such as 5s or 250ms',
  [DURATION_OR_ZERO]: 'must be a duration of whole milliseconds, such as 5s, 250ms or 0s',
  byte: 'must be base64',
}

const NAMES: Record<string, string> = {
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  object: 'a map',
  array: 'a list',
}

function wrongType(error: ErrorObject, shown: Shown): string {
  const wanted = [error.params.type as string | string[]].flat()
  const text = `must be ${wanted.map((type) => NAMES[type] ?? type).join(' or ')}, found ${shown(error.data)}`
  if (!wanted.includes('string')) return text
  if (typeof error.data === 'number') return `${text}; quote it to make it a string`
  // Whoever wrote `y` or `on` does not expect to hear of a boolean.
  if (typeof error.data === 'boolean') return `${text}; yes, no, on, off, y and n are booleans too, so quote it`
  return text
}

/** Of what may not be shown. */
function kindOf(data: unknown): string {
  if (Array.isArray(data)) return 'a list'
  if (data === null) return 'nothing'
  return typeof data === 'object' ? 'a map' : `a ${typeof data}`
}

function show(data: unknown): string {
  if (Array.isArray(data)) return 'a list'
  if (data === null) return 'nothing'
  if (typeof data === 'object') return 'a map'
  const text = typeof data === 'string' ? JSON.stringify(data) : `the ${typeof data} ${String(data)}`
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}
