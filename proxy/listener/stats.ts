import { StatGroup } from '../../lib/metrics/stat-group.ts'
import type { Metric, MetricLabels, MetricStore } from '../../lib/metrics/store.ts'
import { SslStats } from '../tls/stats.ts'

/** Envoy's counters and gauges of a listener. */
export class ListenerStats extends StatGroup {
  readonly downstream_cx_total = this.counter('downstream_cx_total')
  readonly downstream_cx_destroy = this.counter('downstream_cx_destroy')
  readonly downstream_global_cx_overflow = this.counter('downstream_global_cx_overflow')
  readonly downstream_cx_transport_socket_connect_timeout = this.counter(
    'downstream_cx_transport_socket_connect_timeout',
  )
  readonly downstream_pre_cx_timeout = this.counter('downstream_pre_cx_timeout')
  readonly downstream_listener_filter_error = this.counter('downstream_listener_filter_error')
  readonly downstream_listener_filter_remote_close = this.counter('downstream_listener_filter_remote_close')
  readonly no_filter_chain_match = this.counter('no_filter_chain_match')
  readonly downstream_cx_active = this.gauge('downstream_cx_active')
  readonly downstream_pre_cx_active = this.gauge('downstream_pre_cx_active')
  readonly ssl: SslStats

  constructor(store: MetricStore, labels: MetricLabels) {
    super(store, 'listener.', labels)
    this.ssl = new SslStats(store, 'listener', labels)
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
