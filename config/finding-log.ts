import type { Logger } from '../lib/log.ts'
import type { Finding } from './finding.ts'

/** Says in the log what of the configuration is refused, each error once for as long as it lasts. */
export class FindingLog {
  readonly #log: Logger
  #reported = new Set<string>()

  constructor(log: Logger) {
    this.#log = log
  }

  /** Returns how many errors there are. */
  report(findings: readonly Finding[]): number {
    const errors = findings.filter(({ severity }) => severity === 'error')
    const seen = new Set<string>()
    for (const { code, object, file, line, message } of errors) {
      const key = `${code} ${file}:${line} ${message}`
      seen.add(key)
      if (this.#reported.has(key)) continue
      const subject = object.name === '' ? undefined : `${object.kind} ${object.namespace}/${object.name}`
      this.#log.error('configuration refused; the last good version stays', {
        code,
        object: subject,
        file,
        line,
        reason: message,
      })
    }
    this.#reported = seen
    return errors.length
  }
}
