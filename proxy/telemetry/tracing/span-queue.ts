import { WheelTimer } from '../../../lib/timer-wheel.ts'
import type { StreamContext } from '../../stream/context.ts'
import { SideCall, type SideRequest, type SideResult } from '../../stream/side-call.ts'
import type { Sink } from '../sinks.ts'
import type { Span } from './span.ts'
import type { SpanSink } from './tracer.ts'

/** How a kind of collector is told. */
export interface SpanExport {
  /** `zipkin` or `opentelemetry`: counters are called `tracing.<name>.…`, as Envoy's. */
  readonly name: string
  requestOf(spans: readonly Span[]): SideRequest
  /** `refused`: the collector took the report, and will not have it. `busy`: it may have it later. */
  verdictOf(result: SideResult): 'taken' | 'refused' | 'busy'
}

/** A span waits no longer than this for others to go with. */
const FLUSH_MS = 1000
const MAX_BATCH = 256
const MAX_QUEUE = 2048
const FIRST_PAUSE_MS = 1000
const MAX_PAUSE_MS = 30_000

/**
 * Spans on their way to a collector, one report at a time. A report that the collector could not take is sent again, first
 * after a second, then after twice the time up to half a minute, until it is taken or refused; meanwhile the newest spans are
 * kept, and the oldest dropped and counted.
 */
export class SpanQueue implements SpanSink, Sink {
  readonly #export: SpanExport
  readonly #context: StreamContext
  readonly #timer: WheelTimer
  readonly #counters
  #waiting: Span[] = []
  #call: SideCall | undefined
  #pauseMs = 0
  #isClosed = false
  /** Somebody waits until nothing is under way: reports follow each other without waiting for more spans. */
  #onIdle: (() => void) | undefined

  constructor(spanExport: SpanExport, context: StreamContext) {
    this.#export = spanExport
    this.#context = context
    this.#timer = new WheelTimer(
      context.bugs.guard(
        'spans',
        () => this.#onTimer(),
        () => {},
      ),
    )
    const counter = (name: string) => context.metrics.counter(`tracing.${spanExport.name}.${name}`)
    this.#counters = {
      spans_sent: counter('spans_sent'),
      spans_dropped: counter('spans_dropped'),
      timer_flushed: counter('timer_flushed'),
      reports_sent: counter('reports_sent'),
      reports_dropped: counter('reports_dropped'),
      reports_failed: counter('reports_failed'),
      reports_skipped_no_cluster: counter('reports_skipped_no_cluster'),
    }
  }

  add(span: Span): void {
    if (this.#isClosed) {
      this.#counters.spans_dropped.inc()
      return
    }
    this.#waiting.push(span)
    this.#trim()
    if (this.#pauseMs > 0) return
    if (this.#waiting.length >= MAX_BATCH) this.#flush()
    else if (!this.#timer.armed) this.#context.wheel.arm(this.#timer, FLUSH_MS)
  }

  #trim(): void {
    const surplus = this.#waiting.length - MAX_QUEUE
    if (surplus <= 0) return
    // Several at once: taking them from the front one by one moves the whole queue each time.
    const dropped = this.#isClosed ? surplus : Math.min(this.#waiting.length, surplus + MAX_BATCH / 4)
    this.#waiting.splice(0, dropped)
    this.#counters.spans_dropped.add(dropped)
  }

  #onTimer(): void {
    this.#pauseMs > 0 ? this.#resume() : this.#counters.timer_flushed.inc()
    this.#flush()
  }

  /** The pause grows until a report is taken. */
  #resume(): void {
    this.#lastPauseMs = this.#pauseMs
    this.#pauseMs = 0
  }
  #lastPauseMs = 0

  #flush(): void {
    if (this.#call !== undefined || this.#waiting.length === 0) return
    const batch = this.#waiting.splice(0, MAX_BATCH)
    let isAnswered = false
    const call = SideCall.send(this.#export.requestOf(batch), this.#context, (result) => {
      isAnswered = true
      this.#call = undefined
      this.#onResult(result, batch)
      if (this.#call === undefined) this.#onIdle?.()
    })
    // It may have been answered before it came back.
    if (!isAnswered) this.#call = call
  }

  #onResult(result: SideResult, batch: readonly Span[]): void {
    const verdict = this.#export.verdictOf(result)
    const counters = this.#counters
    if (result.kind === 'failed') {
      if (result.reason === 'no_cluster') counters.reports_skipped_no_cluster.inc()
      else counters.reports_failed.inc()
    } else if (verdict === 'taken') counters.reports_sent.inc()
    else counters.reports_dropped.inc()
    if (verdict === 'busy') this.#retryLater(batch)
    else {
      this.#lastPauseMs = 0
      if (verdict === 'taken') counters.spans_sent.add(batch.length)
      else counters.spans_dropped.add(batch.length)
      if (this.#waiting.length >= MAX_BATCH || this.#isClosed || this.#onIdle !== undefined) this.#flush()
      else if (this.#waiting.length > 0 && !this.#timer.armed) this.#context.wheel.arm(this.#timer, FLUSH_MS)
    }
  }

  #retryLater(batch: readonly Span[]): void {
    if (this.#isClosed) {
      this.#counters.spans_dropped.add(batch.length + this.#waiting.length)
      this.#waiting = []
      return
    }
    this.#waiting = [...batch, ...this.#waiting]
    this.#trim()
    this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#lastPauseMs === 0 ? FIRST_PAUSE_MS : this.#lastPauseMs * 2)
    this.#context.wheel.arm(this.#timer, this.#pauseMs)
  }

  /** A collector that was away is tried at once, and what it does not take then stays for close(). */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve
      this.#context.wheel.disarm(this.#timer)
      this.#resume()
      this.#flush()
      if (this.#call === undefined) resolve()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#context.wheel.disarm(this.#timer)
    this.#pauseMs = 0
    this.#flush()
  }
}
