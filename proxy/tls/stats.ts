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

/** Counters of one side's TLS contexts, by the names that Envoy gives them on each side. */
const CONTEXT_COUNTERS = {
  listener: {
    not_ready: 'server_ssl_socket_factory.downstream_context_secrets_not_ready',
    update_by_sds: 'server_ssl_socket_factory.ssl_context_update_by_sds',
  },
  cluster: {
    not_ready: 'client_ssl_socket_factory.upstream_context_secrets_not_ready',
    update_by_sds: 'client_ssl_socket_factory.ssl_context_update_by_sds',
  },
} as const

export type SslStats = Record<(typeof COUNTERS)[number], Metric> & {
  /** Connections that ended because a secret was not there. */
  readonly context_secrets_not_ready: Metric
  /** Contexts made anew because a secret changed. */
  readonly context_update_by_sds: Metric
}

export function sslStats(store: MetricStore, prefix: 'listener' | 'cluster', labels: MetricLabels): SslStats {
  const entries = COUNTERS.map((name) => [name, store.counter(`${prefix}.ssl.${name}`, labels)])
  const counters = CONTEXT_COUNTERS[prefix]
  // Made when they are first counted: most listeners and clusters have no secrets that come apart.
  return Object.defineProperties(Object.fromEntries(entries), {
    context_secrets_not_ready: { get: () => store.counter(`${prefix}.${counters.not_ready}`, labels) },
    context_update_by_sds: { get: () => store.counter(`${prefix}.${counters.update_by_sds}`, labels) },
  }) as SslStats
}
