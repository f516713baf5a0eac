import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import type { Clock, Timer } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { Metric, MetricStore } from '../lib/metrics/store.ts'

/** What a process uses of what it may use, each from 0 to 1. */
export interface MemoryPressure {
  /** Resident memory of the process, against what the machine or its container gives. */
  readonly resident: number
  /** This thread's JavaScript heap, against its bound. */
  readonly heap: number
}

const INTERVAL_MS = 250
/** Requests are refused from here on, and taken again below the second: between them nothing changes. */
const SHED_AT = 0.9
const TAKE_AGAIN_AT = 0.85

/**
 * Refuses new requests before memory is gone: what is under way then finishes, and gives memory back. As Envoy's overload
 * action `stop_accepting_requests` with a heap monitor, but on without being asked.
 */
export class OverloadMonitor {
  isShedding = false
  readonly #clock: Clock
  readonly #log: Logger
  readonly #read: () => MemoryPressure
  readonly #active: Metric
  #timer: Timer | undefined

  constructor(clock: Clock, log: Logger, metrics: MetricStore, read: () => MemoryPressure) {
    this.#clock = clock
    this.#log = log
    this.#read = read
    this.#active = metrics.gauge('overload.envoy.overload_actions.stop_accepting_requests.active', {}, 'same')
    this.#watch()
  }

  close(): void {
    this.#timer?.cancel()
  }

  #watch(): void {
    this.#timer = this.#clock.setTimer(INTERVAL_MS, () => {
      this.#judge()
      this.#watch()
    })
  }

  #judge(): void {
    const { resident, heap } = this.#read()
    const pressure = Math.max(resident, heap)
    const shed = pressure >= (this.isShedding ? TAKE_AGAIN_AT : SHED_AT)
    if (shed === this.isShedding) return
    this.isShedding = shed
    this.#active.set(shed ? 1 : 0)
    const fields = { resident: percent(resident), heap: percent(heap) }
    if (shed) this.#log.error('memory is nearly gone: new requests are refused', fields)
    else this.#log.warning('there is memory again: requests are taken', fields)
  }
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`
}

/** Reads the pressure of this process and thread; `maxBytes` in the place of what the machine or container gives. */
export function memoryReader(maxBytes = memoryLimitBytes()): () => MemoryPressure {
  return () => {
    const heap = getHeapStatistics()
    return { resident: process.memoryUsage.rss() / maxBytes, heap: heap.used_heap_size / heap.heap_size_limit }
  }
}

/** Where the kernel says what a container may use (cgroup v2, then v1). */
const LIMIT_FILES = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes']

function memoryLimitBytes(): number {
  for (const file of LIMIT_FILES) {
    try {
      const limit = Number(readFileSync(file, 'utf8'))
      if (limit > 0 && limit < totalmem()) return limit
    } catch {
      // Not this kind of system; or `max`, which is no number.
    }
  }
  return totalmem()
}
