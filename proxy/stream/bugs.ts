import { errorText } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Metric, MetricStore } from '../../lib/metrics/store.ts'

/**
 * Where exceptions end that no code expected. Whoever handles an event of a connection catches them, reports them here
 * and closes that connection; the others go on.
 */
export class BugReporter {
  readonly #log: Logger
  readonly #total: Metric

  constructor(metrics: MetricStore, log: Logger) {
    this.#log = log
    this.#total = metrics.counter('bug_total')
  }

  report(where: string, thrown: unknown): void {
    this.#total.inc()
    const stack = thrown instanceof Error ? (thrown.stack ?? '') : ''
    this.#log.error('a bug: this connection is closed', { where, error: errorText(thrown), stack })
  }

  /** `handle` with its exceptions reported and then given to `clean`. Made once a connection, not once an event. */
  guard(where: string, handle: () => void, clean: () => void): () => void {
    return () => {
      try {
        handle()
      } catch (thrown) {
        this.report(where, thrown)
        clean()
      }
    }
  }
}
