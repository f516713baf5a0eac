import { type CheckResult, OK } from '../adapters/adapter.ts'
import { shortKey } from './names.ts'

/** What is told of a call for which no rule asked anybody (Mixer's defaults). */
export const DEFAULT_VALID_MS = 60_000
export const DEFAULT_USE_COUNT = 10_000

/** What one handler said. */
export interface Said {
  /** `name.kind.namespace` */
  readonly handler: string
  readonly result: CheckResult
}

export interface Verdict {
  readonly code: number
  /** `name.namespace:text`, of the handler that refused. */
  readonly message: string
  readonly validDurationMs: number
  readonly validUseCount: number
}

/** The first refusal counts; an answer holds no longer, and for no more calls, than each that it is made of. */
export function mergeChecks(said: readonly Said[]): Verdict {
  let code = OK
  let message = ''
  let validDurationMs = DEFAULT_VALID_MS
  let validUseCount = DEFAULT_USE_COUNT
  for (const [i, { handler, result }] of said.entries()) {
    if (code === OK && result.code !== OK) {
      code = result.code
      message = `${shortKey(handler)}:${result.message}`
    }
    // What handlers say goes before the default, even where it is longer.
    validDurationMs = i === 0 ? result.validDurationMs : Math.min(validDurationMs, result.validDurationMs)
    validUseCount = i === 0 ? result.validUseCount : Math.min(validUseCount, result.validUseCount)
  }
  return { code, message, validDurationMs, validUseCount }
}
