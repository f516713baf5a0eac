import type { Metric, MetricLabels, MetricStore } from '../../lib/metrics/store.ts'

/** Envoy's counters of one side's handshakes, without their prefix (`listener.<address>.ssl.`, `cluster.<name>.ssl.`). */
const COUNTERS = [
  'handshake',
  'session_reused',
  'connection_error',
  'no_certificate',
  'fail_verify_no_cert',
  'fail_verify_error',
  'fail_verify_san',
  'fail_verify_cert_hash',
] as const

export type SslStats = Record<(typeof COUNTERS)[number], Metric>

export function sslStats(store: MetricStore, prefix: 'listener' | 'cluster', labels: MetricLabels): SslStats {
  const entries = COUNTERS.map((name) => [name, store.counter(`${prefix}.ssl.${name}`, labels)])
  return Object.fromEntries(entries) as SslStats
}
