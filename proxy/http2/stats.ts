import type { Metric, MetricStore } from '../../lib/metrics/store.ts'

/** Envoy's counters of the HTTP/2 codec that Lateen keeps; `flood` stands for its kinds of floods together. */
const COUNTERS = [
  'rx_reset',
  'tx_reset',
  'rx_messaging_error',
  'header_overflow',
  'goaway_sent',
  'protocol_error',
  'flood',
] as const

export type Http2Stats = Record<(typeof COUNTERS)[number], Metric>

/** `scope` is what their names begin with, with its dot. */
export function http2Stats(store: MetricStore, scope: string, labels: Record<string, string>): Http2Stats {
  return Object.fromEntries(
    COUNTERS.map((name) => [name, store.counter(`${scope}http2.${name}`, labels)]),
  ) as Http2Stats
}
