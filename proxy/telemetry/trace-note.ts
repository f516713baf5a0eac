/** Where the tracer of a connection manager leaves a TraceNote among a record's notes. */
export const TRACE_NOTE = Symbol('trace')

/** What a call is known by in traces: `traceId` has 16 or 32 lower-case hexadecimal digits, `spanId` has 16. */
export interface TraceNote {
  readonly traceId: string
  readonly spanId: string
  readonly isSampled: boolean
}
