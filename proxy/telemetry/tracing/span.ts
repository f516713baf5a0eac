/** A finished span on its way to a collector. Identifiers are lower-case hexadecimal digits. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  /** '' for the first of its trace. */
  readonly parentId: string
  readonly name: string
  readonly kind: 'server' | 'client'
  /** Of the Unix epoch. */
  readonly startMs: number
  readonly durationMs: number
  /** Names and values in turn. */
  readonly tags: readonly string[]
  readonly moments: readonly SpanMoment[]
  readonly isError: boolean
  /** It has the identifier of its client's span. */
  readonly isShared: boolean
  readonly isDebug: boolean
}

export interface SpanMoment {
  /** Of the Unix epoch. */
  readonly atMs: number
  readonly name: string
}
