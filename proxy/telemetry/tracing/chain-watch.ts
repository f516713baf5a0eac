import type { Logger } from '../../../lib/log.ts'
import { WheelTimer } from '../../../lib/timer-wheel.ts'
import type { StreamContext } from '../../stream/context.ts'
import type { Sink } from '../sinks.ts'

/** Counted anew each minute. */
const WINDOW_MS = 60_000
/** Fewer calls say nothing about an application. */
const MIN_BROKEN = 10

/** Metrics of the chain watch; the gauges tell of the last whole minute. */
export const CHAIN_METRICS = {
  breaks: 'lateen_trace_chain_breaks_total',
  calls: 'lateen_trace_chain_calls',
  begun: 'lateen_trace_chain_calls_begun',
  isBroken: 'lateen_trace_chain_broken',
} as const

/**
 * Whether the application beside this proxy passes on the context of its traces. While calls to it are under way, those that it
 * makes should belong to one of them: it may have reasons to call of its own accord then too, so that only an application
 * most of whose calls begin a trace of their own is said to break the chain. What it does while nobody calls it is not counted.
 * It counts what one thread sees: calls that come and go by different threads are not told of.
 */
export class ChainWatch implements Sink {
  readonly #context: StreamContext
  readonly #log: Logger
  readonly #timer: WheelTimer
  readonly #breaks
  readonly #callsGauge
  readonly #begunGauge
  readonly #brokenGauge
  #underWay = 0
  #calls = 0
  #begun = 0
  #hasWarned = false

  constructor(context: StreamContext, log: Logger) {
    this.#context = context
    this.#log = log
    const { metrics, bugs } = context
    this.#breaks = metrics.counter(CHAIN_METRICS.breaks)
    this.#callsGauge = metrics.gauge(CHAIN_METRICS.calls)
    this.#begunGauge = metrics.gauge(CHAIN_METRICS.begun)
    this.#brokenGauge = metrics.gauge(CHAIN_METRICS.isBroken)
    this.#timer = new WheelTimer(
      bugs.guard(
        'trace chains',
        () => this.#onWindowEnd(),
        () => {},
      ),
    )
  }

  /** A call to the application begins, or ends. */
  onInbound(by: 1 | -1): void {
    this.#underWay += by
  }

  /** The application calls somebody. `carriesTrace`: with anything of a call that came. */
  onOutbound(carriesTrace: boolean): void {
    if (this.#underWay === 0) return
    this.#calls++
    if (!carriesTrace) {
      this.#begun++
      this.#breaks.inc()
    }
    if (!this.#timer.armed) this.#context.wheel.arm(this.#timer, WINDOW_MS)
  }

  #onWindowEnd(): void {
    const isBroken = this.#begun >= MIN_BROKEN && this.#begun * 2 > this.#calls
    this.#callsGauge.set(this.#calls)
    this.#begunGauge.set(this.#begun)
    this.#brokenGauge.set(isBroken ? 1 : 0)
    if (isBroken && !this.#hasWarned) {
      this.#hasWarned = true
      this.#log.warning(chainText(this.#calls, this.#begun, true))
    }
    const wasBusy = this.#calls > 0
    this.#calls = 0
    this.#begun = 0
    // Once more after a busy minute, so that a quiet one is told of too.
    if (wasBusy) this.#context.wheel.arm(this.#timer, WINDOW_MS)
  }

  close(): void {
    this.#context.wheel.disarm(this.#timer)
    for (const gauge of [this.#callsGauge, this.#begunGauge, this.#brokenGauge]) gauge.set(0)
  }
}

/** What the numbers of a minute mean, in a sentence. */
export function chainText(calls: number, begun: number, isBroken: boolean): string {
  const counted = `of ${calls} outbound calls in the last minute ${begun} began a trace of their own while inbound calls were under way`
  if (!isBroken) return counted
  return `${counted}: the application does not pass on traceparent; see node --import lateen/propagate`
}
