import type { FieldBatch } from '../../stream/field-batch.ts'
import type { TraceNote } from '../trace-note.ts'
import type { OutgoingContext } from './context.ts'
import { TRACEPARENT } from './ids.ts'
import type { GrpcAnswer } from './tags.ts'

/** What is known of a call that is kept. */
export class KeptCall implements TraceNote, OutgoingContext, GrpcAnswer {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly isSampled = true
  readonly isDebug: boolean
  readonly isShared: boolean
  /** The name that somebody gave; '' where nobody did. */
  operation: string
  /** Of the span of the request that was sent on; '' where it has none of its own. */
  upstreamSpanId = ''
  grpcStatus: string | undefined = undefined
  grpcMessage: string | undefined = undefined

  constructor(
    traceId: string,
    spanId: string,
    parentId: string,
    isDebug: boolean,
    isShared: boolean,
    operation: string,
  ) {
    this.traceId = traceId
    this.spanId = spanId
    this.parentId = parentId
    this.isDebug = isDebug
    this.isShared = isShared
    this.operation = operation
  }
}

/** A call that is not kept, by the traceparent that it was given. Its record keeps it for the next such call. */
export class PassedCall implements TraceNote {
  readonly isSampled = false
  #traceparents: FieldBatch
  #line: number

  constructor(traceparents: FieldBatch, line: number) {
    this.#traceparents = traceparents
    this.#line = line
  }

  become(traceparents: FieldBatch, line: number): void {
    if (this.#traceparents !== traceparents) this.#traceparents = traceparents
    this.#line = line
  }

  get traceId(): string {
    return this.#traceparent.slice(TRACEPARENT.traceId, TRACEPARENT.spanId - 1)
  }

  get spanId(): string {
    return this.#traceparent.slice(TRACEPARENT.spanId, TRACEPARENT.flags - 1)
  }

  get #traceparent(): string {
    return this.#traceparents.value(this.#line)
  }
}
