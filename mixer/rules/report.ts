import { CODES, type Code } from '../../config/codes.ts'
import type { Finding } from '../../config/finding.ts'
import { type ConfigObject, type FieldPath, refOf } from '../../config/object.ts'
import { formatPath } from '../../config/report.ts'
import { isSuppressed } from '../../config/suppress.ts'
import type { Expression, ExpressionResult } from '../expression/compile.ts'

/** What is wrong with one object of the mixer's configuration. */
export class ModelReport {
  readonly findings: Finding[] = []
  readonly #object: ConfigObject<unknown>
  hasErrors = false

  constructor(object: ConfigObject<unknown>) {
    this.#object = object
  }

  add(code: Code, path: FieldPath, message: string): void {
    const { severity } = CODES[code]
    if (severity === 'error') this.hasErrors = true
    else if (isSuppressed(this.#object.metadata.annotations, code)) return
    this.findings.push({
      code,
      severity,
      object: refOf(this.#object),
      file: this.#object.origin.file,
      line: this.#object.lineOf(path),
      message: path.length === 0 ? message : `${formatPath(path)}: ${message}`,
    })
  }

  error(path: FieldPath, message: string): void {
    this.add('IST0106', path, message)
  }

  /** The expression, or undefined when it is none, which is reported. */
  expression(result: ExpressionResult, path: FieldPath): Expression | undefined {
    if (result.ok) return result.expression
    this.add('LTN0401', path, result.error.describe())
    return undefined
  }
}
