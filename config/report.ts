import { CODES, type Code } from './codes.ts'
import type { Severity } from './finding.ts'
import type { FieldPath } from './object.ts'

/** A finding about an object whose place is not known yet: the path stands for the line. */
export interface Problem {
  code: Code
  severity: Severity
  path: FieldPath
  message: string
}

/** More say no more. */
const MAX_PROBLEMS = 100

/** Gathers what is wrong with one object. */
export class Report {
  readonly problems: Problem[] = []
  #hasErrors = false

  get hasErrors(): boolean {
    return this.#hasErrors
  }

  add(code: Code, path: FieldPath, message: string): void {
    const { severity } = CODES[code]
    if (severity === 'error') this.#hasErrors = true
    if (this.problems.length >= MAX_PROBLEMS) return
    this.problems.push({
      code,
      severity,
      path,
      message: path.length === 0 ? message : `${formatPath(path)}: ${message}`,
    })
  }

  /** The object is not valid. */
  error(path: FieldPath, message: string): void {
    this.add('IST0106', path, message)
  }

  /** The object is valid, and probably not what was meant. */
  warning(path: FieldPath, message: string): void {
    this.add('IST0133', path, message)
  }
}

/** `spec.http[0].match[1].uri`. Keys that are no plain names are quoted: `headers["x.y"]`. */
export function formatPath(path: FieldPath): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (/^[A-Za-z_][\w-]*$/.test(step)) text += text === '' ? step : `.${step}`
    else text += `[${JSON.stringify(step)}]`
  }
  return text
}
