/** The key of the note that tells who observe a call of its span: `{ traceId: string; spanId: string; isSampled: boolean }`. */
export const TRACE_NOTE = Symbol('trace')
