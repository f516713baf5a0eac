import type { Metric, MetricLabels, MetricStore } from '../../lib/metrics/store.ts'
import { type SslStats, sslStats } from '../tls/stats.ts'

/** Envoy's counters of a listener, without their `listener.<address>.` prefix. */
const COUNTERS = [
  'downstream_cx_total',
  'downstream_cx_destroy',
  'downstream_global_cx_overflow',
  'downstream_cx_transport_socket_connect_timeout',
  'downstream_pre_cx_timeout',
  'downstream_listener_filter_error',
  'downstream_listener_filter_remote_close',
  'no_filter_chain_match',
] as const
const GAUGES = ['downstream_cx_active', 'downstream_pre_cx_active'] as const

export type ListenerStats = Record<(typeof COUNTERS)[number] | (typeof GAUGES)[number], Metric> & {
  readonly ssl: SslStats
}

export function listenerStats(store: MetricStore, labels: MetricLabels): ListenerStats {
  return {
    ...(Object.fromEntries([
      ...COUNTERS.map((name) => [name, store.counter(`listener.${name}`, labels)]),
      ...GAUGES.map((name) => [name, store.gauge(`listener.${name}`, labels)]),
    ]) as Omit<ListenerStats, 'ssl'>),
    ssl: sslStats(store, 'listener', labels),
  }
}

/** What the listener filters found, over all listeners, as in Envoy. */
const SNIFF_COUNTERS = [
  'tls_inspector.tls_found',
  'tls_inspector.tls_not_found',
  'tls_inspector.sni_found',
  'tls_inspector.sni_not_found',
  'tls_inspector.alpn_found',
  'tls_inspector.alpn_not_found',
  'tls_inspector.client_hello_too_large',
  'http_inspector.http10_found',
  'http_inspector.http11_found',
  'http_inspector.http2_found',
  'http_inspector.http_not_found',
  'proxy_proto.versions.v1.found',
  'proxy_proto.versions.v2.found',
  'proxy_proto.versions.v1.disallowed',
  'proxy_proto.versions.v2.disallowed',
  'proxy_proto.versions.v1.error',
  'proxy_proto.versions.v2.error',
  'proxy_proto.not_found_allowed',
  'proxy_proto.not_found_disallowed',
] as const

export type SniffStats = Record<(typeof SNIFF_COUNTERS)[number], Metric>

export function sniffStats(store: MetricStore): SniffStats {
  return Object.fromEntries(SNIFF_COUNTERS.map((name) => [name, store.counter(name)])) as SniffStats
}
