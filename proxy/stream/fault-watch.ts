import type { StreamContext } from './context.ts'
import type { ManagerStats } from './manager-stats.ts'

/** A fault that delays one request: it counts as active until the request is over, as in Envoy. */
export class FaultWatch {
  readonly #context: StreamContext
  #stats: ManagerStats | undefined

  constructor(context: StreamContext) {
    this.#context = context
  }

  /** Does nothing where there is no delay. */
  begin(delayMs: number, stats: ManagerStats | undefined): void {
    if (delayMs === 0 || this.#stats !== undefined || stats === undefined) return
    this.#stats = stats
    this.#context.addActiveFault(1)
    stats.namedGauge('fault.active_faults').inc()
  }

  end(): void {
    if (this.#stats === undefined) return
    this.#context.addActiveFault(-1)
    this.#stats.namedGauge('fault.active_faults').dec()
    this.#stats = undefined
  }
}
