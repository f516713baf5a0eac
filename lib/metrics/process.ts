import { readdirSync } from 'node:fs'
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock } from '../clock.ts'
import type { MetricReading } from './store.ts'

const startedSeconds = systemClock.wallMs() / 1000 - process.uptime()

/** Milliseconds between looks at how late the event loop is. */
const LAG_RESOLUTION_MS = 20
let lag: IntervalHistogram | undefined

/**
 * How late the event loop of this thread was since the last call, p99 in seconds; 0 at first. Nobody looks at it until
 * somebody has asked.
 */
function eventLoopLag(): number {
  if (lag === undefined) {
    lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
    lag.enable()
    return 0
  }
  // What is measured is from one look to the next.
  const seconds = Math.max(0, lag.percentile(99) / 1e9 - LAG_RESOLUTION_MS / 1000)
  lag.reset()
  return seconds
}

/** What every process says of itself, by the names that prom-client and most others give it. Threads count as one. */
export function processMetrics(): MetricReading[] {
  const cpu = process.cpuUsage()
  const memory = process.memoryUsage()
  const gauge = (name: string, value: number): MetricReading => ({ name, labels: {}, kind: 'gauge', value })
  return [
    { name: 'process_cpu_seconds_total', labels: {}, kind: 'counter', value: (cpu.user + cpu.system) / 1e6 },
    gauge('process_resident_memory_bytes', memory.rss),
    gauge('process_start_time_seconds', startedSeconds),
    gauge('process_open_fds', openFiles()),
    gauge('nodejs_heap_size_used_bytes', memory.heapUsed),
    gauge('nodejs_heap_size_total_bytes', memory.heapTotal),
    gauge('nodejs_eventloop_lag_p99_seconds', eventLoopLag()),
  ]
}

/** 0 where the system does not tell. */
function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}
