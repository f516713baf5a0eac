import { readdirSync } from 'node:fs'
import { systemClock } from '../clock.ts'
import type { MetricReading } from './store.ts'

const startedSeconds = systemClock.wallMs() / 1000 - process.uptime()

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
