import { StatGroup } from '../../lib/metrics/stat-group.ts'
import type { Metric, MetricLabels, MetricStore } from '../../lib/metrics/store.ts'

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

/** Envoy's counters of one side's handshakes (`listener.<address>.ssl.`, `cluster.<name>.ssl.`) and contexts. */
export class SslStats extends StatGroup {
  readonly handshake = this.counter('handshake')
  readonly session_reused = this.counter('session_reused')
  readonly connection_error = this.counter('connection_error')
  readonly no_certificate = this.counter('no_certificate')
  readonly fail_verify_no_cert = this.counter('fail_verify_no_cert')
  readonly fail_verify_error = this.counter('fail_verify_error')
  readonly fail_verify_san = this.counter('fail_verify_san')
  readonly fail_verify_cert_hash = this.counter('fail_verify_cert_hash')
  readonly #side: 'listener' | 'cluster'

  constructor(store: MetricStore, side: 'listener' | 'cluster', labels: MetricLabels) {
    super(store, `${side}.ssl.`, labels)
    this.#side = side
  }

  /** Connections that ended because a secret was not there. */
  get context_secrets_not_ready(): Metric {
    return this.#ofContexts('not_ready')
  }

  /** Contexts made anew because a secret changed. */
  get context_update_by_sds(): Metric {
    return this.#ofContexts('update_by_sds')
  }

  /** Made when they are first counted: most listeners and clusters have no secrets that come apart. */
  #ofContexts(name: keyof (typeof CONTEXT_COUNTERS)['listener']): Metric {
    return this.store.counter(`${this.#side}.${CONTEXT_COUNTERS[this.#side][name]}`, this.labels)
  }
}
