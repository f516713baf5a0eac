/** Who caused an error. */
export type ErrorSource = 'downstream' | 'upstream' | 'local' | 'config'

/** Whether the work may be tried again: always, never, or only if it failed on a reused connection. */
export type RetrySafety = 'yes' | 'no' | 'reused-only'

export interface MeshErrorOptions {
  source: ErrorSource
  retry?: RetrySafety
  details?: Record<string, unknown>
  cause?: unknown
}

/**
 * The one error class. Its message begins with the code, so that the code is always visible.
 * The data path does not throw it for what is expected; it returns codes.
 */
export class MeshError extends Error {
  readonly code: string
  readonly source: ErrorSource
  readonly retry: RetrySafety
  readonly details: Record<string, unknown>

  constructor(code: string, message: string, options: MeshErrorOptions) {
    super(`${code}: ${message}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MeshError'
    this.code = code
    this.source = options.source
    this.retry = options.retry ?? 'no'
    this.details = options.details ?? {}
  }
}

/** The text of anything thrown. */
export function errorText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
