/** What a call is known by in traces: `traceId` has 16 or 32 lower-case hexadecimal digits, `spanId` has 16. */
export interface TraceNote {
  readonly traceId: string
  readonly spanId: string
  readonly isSampled: boolean
}
