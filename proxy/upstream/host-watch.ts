import type { Clock, Timer } from '../../lib/clock.ts'
import type { HostTable } from './host-table/host-table.ts'

/** How long it takes until what one thread has found out is in force in all. */
export const POLL_MS = 100

interface WatchingCluster {
  readonly health: { poll(): void; lead(): void }
}

/** Beside other threads: looks at what they have found out about hosts, and which of them does what one does for all. */
export class HostWatch {
  readonly #clock: Clock
  readonly #table: HostTable
  readonly #clusters: () => Iterable<WatchingCluster>
  #timer: Timer | undefined
  #leads = false

  constructor(clock: Clock, table: HostTable, clusters: () => Iterable<WatchingCluster>) {
    this.#clock = clock
    this.#table = table
    this.#clusters = clusters
    if (!table.isShared) return
    table.renewLead()
    this.#leads = table.isLeader
    this.#arm()
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(POLL_MS, () => {
      this.#poll()
      this.#arm()
    })
  }

  #poll(): void {
    this.#table.renewLead()
    const { isLeader } = this.#table
    for (const { health } of this.#clusters()) {
      health.poll()
      if (isLeader !== this.#leads) health.lead()
    }
    this.#leads = isLeader
  }

  close(): void {
    this.#timer?.cancel()
  }
}
