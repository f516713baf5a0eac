import type { Timer } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import type { Metric } from '../../lib/metrics/store.ts'
import type { HandlerEnvironment } from './adapter.ts'

export interface BatchQueueOptions<T> {
  /** Begins the names of its metrics, such as `zipkin_spans`. */
  readonly name: string
  /** Rejects when a batch was not taken; it is not sent again. */
  readonly send: (batch: readonly T[]) => Promise<void>
  /** Is waited for before each batch, however long it takes: what was prepared once is there at once. */
  readonly prepare?: () => Promise<unknown>
  /** What comes when so many wait is dropped. */
  readonly maxWaiting: number
  readonly maxBatch: number
  /** So long a batch that is not full waits for more. */
  readonly flushMs: number
  /** So long one is waited for. */
  readonly timeoutMs: number
}

/** So many sends that nobody waits for any more may still be open: a peer that never answers must not gather more. */
const MAX_OPEN = 4

/**
 * What is sent elsewhere behind the work: one batch after the other. A peer that is slow, or away, costs what waits here and no more.
 * Metrics count what was sent and dropped; that a peer fails is logged when it begins and when it is over.
 */
export class BatchQueue<T> {
  readonly #options: BatchQueueOptions<T>
  readonly #environment: HandlerEnvironment
  readonly #sent: Metric
  readonly #dropped: Metric
  readonly #failures: Metric
  #waiting: T[] = []
  #timer: Timer | undefined
  #sending: Promise<boolean> | undefined
  #open = 0
  #problem = ''
  #closed = false

  constructor(options: BatchQueueOptions<T>, environment: HandlerEnvironment) {
    this.#options = options
    this.#environment = environment
    const { metrics } = environment
    this.#sent = metrics.counter(`${options.name}_sent_total`)
    this.#dropped = metrics.counter(`${options.name}_dropped_total`)
    this.#failures = metrics.counter(`${options.name}_batches_failed_total`)
  }

  /** Never waits. */
  add(item: T): void {
    const { maxWaiting, maxBatch, flushMs } = this.#options
    if (this.#closed || this.#waiting.length >= maxWaiting) {
      this.#dropped.inc()
      return
    }
    this.#waiting.push(item)
    if (this.#sending !== undefined) return
    if (this.#waiting.length >= maxBatch) this.#flush()
    else this.#timer ??= this.#environment.clock.setTimer(flushMs, () => this.#flush())
  }

  /** Sends what is there, as long as it is taken. */
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#sending
    while (this.#waiting.length > 0) if (!(await this.#next())) break
    this.#dropped.add(this.#waiting.length)
    this.#waiting = []
  }

  #flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#sending = this.#next().finally(() => {
      this.#sending = undefined
      if (this.#closed || this.#waiting.length === 0) return
      if (this.#waiting.length >= this.#options.maxBatch) this.#flush()
      else this.#timer = this.#environment.clock.setTimer(this.#options.flushMs, () => this.#flush())
    })
  }

  /** Whether the next batch was taken. */
  async #next(): Promise<boolean> {
    const { maxBatch } = this.#options
    const batch = this.#waiting.splice(0, maxBatch)
    try {
      if (this.#options.prepare !== undefined) await this.#options.prepare()
      await this.#inTime(batch)
      this.#sent.add(batch.length)
      this.#is('')
      return true
    } catch (thrown) {
      this.#dropped.add(batch.length)
      this.#failures.inc()
      this.#is(errorText(thrown) || 'no reason given')
      return false
    }
  }

  #inTime(batch: readonly T[]): Promise<void> {
    const { send, timeoutMs } = this.#options
    if (this.#open >= MAX_OPEN) return Promise.reject(new Error(`no answer to ${MAX_OPEN} batches before`))
    return new Promise((resolve, reject) => {
      const timer = this.#environment.clock.setTimer(timeoutMs, () => reject(new Error(`no answer in ${timeoutMs} ms`)))
      this.#open++
      send(batch)
        .then(resolve, reject)
        .finally(() => {
          this.#open--
          timer.cancel()
        })
    })
  }

  #is(problem: string): void {
    const { log, key } = this.#environment
    const { name } = this.#options
    if (problem !== '' && this.#problem === '')
      log.warning('batches are not taken; they are dropped', { handler: key, what: name, problem })
    if (problem === '' && this.#problem !== '') log.info('batches are taken again', { handler: key, what: name })
    this.#problem = problem
  }
}
