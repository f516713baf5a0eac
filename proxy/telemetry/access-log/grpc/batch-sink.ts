import type { Metric } from '../../../../lib/metrics/store.ts'
import type { GrpcServicePlan } from '../../../filters/ext-authz/grpc-service.ts'
import type { StreamContext } from '../../../stream/context.ts'
import { FRAME_HEADER_BYTES, GRPC_FIELDS, grpcStatusText } from '../../../stream/grpc-message.ts'
import { SideCall, type SideResult } from '../../../stream/side-call.ts'
import type { Sink } from '../../sinks.ts'
import { Memory } from '../../wire/put.ts'
import { WireWriter } from '../../wire/wire-writer.ts'

/** Calls that may be under way together. */
const MAX_CALLS = 4
/** Of a method that takes a stream of messages, a call takes so many, or those of one interval of flushing. */
const MAX_CALL_BATCHES = 64
/** Batches that wait behind them. */
const MAX_WAITING = 64
/** And of their bytes, whatever the configuration holds a batch to. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024
const MAX_BATCH_BYTES = 1024 * 1024
/** Of memory for entries that batches have left: fresh memory costs more than what is written to it. */
const MAX_SPARE_BYTES = 1024 * 1024
/** Beyond a batch, for its last entry and what is around them. */
const ENTRY_BYTES = 4096
/**
 * Shorter batches leave no earlier for a window that ends. A server with the window that HTTP/2 begins with, 64 KiB, takes so much whenever it has
 * read all: most give credit back when half of it is used.
 */
const MIN_CREDIT_BYTES = 31 * 1024
/** After a server could not be reached. */
const RETRY_MS = 1000
const MAX_ANSWER_BYTES = 64 * 1024

export interface BatchPlan {
  readonly service: GrpcServicePlan
  /** `/package.Service/Method`. */
  readonly path: string
  /** The method takes a stream of messages: a call of its own for each batch would cost as much as many entries. */
  readonly isStream: boolean
  /** Entries leave when there are so many bytes of them, or after so long. */
  readonly maxBytes: number
  readonly flushMs: number
  /** The fields that hold the entries, one within the other from the message's own, and what goes before each. */
  readonly within: readonly { readonly preface: Uint8Array; readonly field: number }[]
  readonly written: string
  readonly dropped: string
}

interface Batch {
  readonly body: Buffer
  /** Where it lies, if in memory of its own of the size that is used again. */
  readonly memory: Memory | undefined
  readonly entries: number
}

/** A call and how much it has taken. */
class BatchCall {
  /** What it began with, kept until the server has answered: it may have done nothing with the call. */
  readonly first: Batch
  entries: number
  batches = 1
  call: SideCall | undefined

  constructor(first: Batch) {
    this.first = first
    this.entries = first.entries
  }
}

/**
 * Sends entries to a gRPC service, many in one message: what they are in is written around them. What a server that is away, or
 * slow, does not take waits up to a bound; then the oldest go, and are counted. Batches whose call broke after it had begun are
 * counted as dropped and not sent again, since they may have arrived; of one that the server did nothing with, the first is sent again.
 */
export class BatchSink implements Sink {
  readonly out: WireWriter
  readonly #plan: BatchPlan
  readonly #context: StreamContext
  readonly #written: Metric
  readonly #dropped: Metric
  readonly #starts: readonly number[]
  readonly #firstByte: number
  #entries = 0
  readonly #waiting: Batch[] = []
  #waitingBytes = 0
  readonly #maxBytes: number
  readonly #memoryBytes: number
  readonly #spare: Memory[] = []
  readonly #calls = new Set<BatchCall>()
  /** The call that takes more. */
  #open: BatchCall | undefined
  #isTimed = false
  #isPaused = false
  /** No call is kept open for more. */
  #isEnding = false
  #isClosed = false
  /** Called when no call is under way any more. */
  #onIdle = () => {}

  constructor(plan: BatchPlan, context: StreamContext) {
    this.#plan = plan
    this.#context = context
    this.#written = context.metrics.counter(plan.written)
    this.#dropped = context.metrics.counter(plan.dropped)
    this.#maxBytes = Math.min(plan.maxBytes, MAX_BATCH_BYTES)
    this.#memoryBytes = this.#maxBytes + ENTRY_BYTES
    this.out = new WireWriter(this.#memoryBytes)
    this.out.raw(Buffer.alloc(FRAME_HEADER_BYTES))
    this.#starts = plan.within.map(({ preface, field }) => {
      this.out.raw(preface)
      return this.out.begin(field)
    })
    this.#firstByte = this.out.length
  }

  /** An entry has been written to `out`. */
  noteEntry(): void {
    if (this.#isClosed) {
      this.out.cut(this.#firstByte)
      this.#dropped.inc()
      return
    }
    this.#entries++
    if (!this.#isTimed) this.#startTimer()
    const { length } = this.out
    if (length - this.#firstByte >= this.#maxBytes || (length >= MIN_CREDIT_BYTES && this.#fillsCredit(length)))
      this.#flush()
  }

  /**
   * Whether the server takes a batch of this length at once, and would have the end of a longer one wait: in two parts it costs twice,
   * and the second is sent in the middle of other work.
   */
  #fillsCredit(length: number): boolean {
    const call = this.#open?.call
    if (call?.isWritable !== true) return false
    const { creditBytes } = call
    // The next entry is hardly longer than two of the mean.
    return length <= creditBytes && length + (2 * length) / this.#entries > creditBytes
  }

  #startTimer(): void {
    if (this.#isTimed) return
    this.#isTimed = true
    this.#context.clock.setTimer(this.#plan.flushMs, () => {
      this.#isTimed = false
      this.#flush()
      this.#endOpen()
      this.#send()
    })
  }

  #flush(): void {
    if (this.#entries === 0) return
    for (let i = this.#starts.length - 1; i >= 0; i--) this.out.end(this.#starts[i] as number)
    const batch = this.#cutBatch()
    const { body } = batch
    body.writeUInt32BE(body.length - FRAME_HEADER_BYTES, 1)
    this.#waiting.push(batch)
    this.#waitingBytes += body.length
    this.#entries = 0
    this.#dropOldest()
    this.#send()
  }

  /** A batch that fills its memory goes with it; others would hold more than they are. */
  #cutBatch(): Batch {
    const { out } = this
    const entries = this.#entries
    const { length } = out
    if (2 * length < this.#memoryBytes) {
      const body = out.copy()
      out.cut(this.#firstByte)
      return { body, memory: undefined, entries }
    }
    const memory = out.moveTo(this.#spare.pop() ?? Memory.of(this.#memoryBytes), this.#firstByte)
    const isReusable = memory.bytes.length === this.#memoryBytes
    return { body: memory.bytes.subarray(0, length), memory: isReusable ? memory : undefined, entries }
  }

  /** Nobody sends it any more. The next batch but one is written where it was: memory that is still in the processor's caches. */
  #reuse({ memory }: Batch): void {
    if (memory === undefined || (this.#spare.length + 1) * this.#memoryBytes > MAX_SPARE_BYTES) return
    this.#spare.push(memory)
  }

  #take(): Batch | undefined {
    const batch = this.#waiting.shift()
    this.#waitingBytes -= batch?.body.length ?? 0
    return batch
  }

  #dropOldest(): void {
    while (this.#waiting.length > MAX_WAITING || this.#waitingBytes > MAX_WAITING_BYTES) this.#drop(this.#take())
  }

  #drop(batch: Batch | undefined): void {
    this.#dropped.add(batch?.entries ?? 0)
  }

  #send(): void {
    while (!this.#isPaused && this.#waiting.length > 0) {
      const open = this.#open
      if (open !== undefined) {
        if (open.call?.isWritable !== true) return
        const batch = this.#take() as Batch
        open.batches++
        open.entries += batch.entries
        open.call.write(batch.body)
        this.#reuse(batch)
        if (open.batches === MAX_CALL_BATCHES) this.#endOpen()
      } else if (this.#calls.size < MAX_CALLS) this.#call(this.#take() as Batch)
      else return
    }
    if (this.#isEnding) this.#endOpen()
  }

  #endOpen(): void {
    const open = this.#open
    this.#open = undefined
    open?.call?.end()
  }

  #call(batch: Batch): void {
    const { service, path, isStream } = this.#plan
    const { cluster, authority, metadata, timeoutMs } = service
    const begun = new BatchCall(batch)
    this.#calls.add(begun)
    if (isStream) {
      this.#open = begun
      this.#startTimer()
    }
    const request = {
      cluster,
      method: 'POST',
      authority,
      path,
      headers: [...GRPC_FIELDS, ...metadata],
      body: batch.body,
      ...(isStream ? { onWritable: () => this.#send() } : {}),
      timeoutMs,
      maxResponseBytes: MAX_ANSWER_BYTES,
    }
    begun.call = SideCall.send(request, this.#context, (result) => {
      this.#onDone(begun, result)
      if (this.#calls.size === 0) this.#onIdle()
    })
  }

  #onDone(done: BatchCall, result: SideResult): void {
    this.#calls.delete(done)
    if (this.#open === done) this.#open = undefined
    const { first } = done
    if (isTaken(result)) {
      this.#written.add(done.entries)
      this.#reuse(first)
    } else if (result.kind === 'failed' && NEVER_SENT.has(result.reason) && !this.#isClosed) {
      this.#waiting.unshift(first)
      this.#waitingBytes += first.body.length
      this.#dropped.add(done.entries - first.entries)
      this.#dropOldest()
      this.#pause()
      return
    } else this.#dropped.add(done.entries)
    this.#send()
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#context.clock.setTimer(RETRY_MS, () => {
      this.#isPaused = false
      this.#send()
    })
  }

  /** A server that was away is tried at once, and what it does not take then stays for close(). */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#isPaused = false
      this.#isEnding = true
      this.#flush()
      this.#send()
      this.#onIdle = resolve
      if (this.#calls.size === 0) resolve()
    })
  }

  close(): void {
    if (this.#isClosed) return
    this.#isPaused = false
    this.#flush()
    this.#endOpen()
    this.#isClosed = true
    while (this.#waiting.length > 0) this.#drop(this.#take())
  }
}

/** Failures by which the server has done nothing with the request. */
const NEVER_SENT = new Set<string>([
  'no_cluster',
  'no_healthy_upstream',
  'connect_failure',
  'connect_timeout',
  'overflow',
  'refused',
])

function isTaken(result: SideResult): boolean {
  if (result.kind === 'failed' || result.status !== 200) return false
  return grpcStatusText(result) === '0'
}
