import { PUSH_ORDER, SHORT_TYPE, type TypeUrl } from '../../api/type-urls.ts'
import type { Metric, MetricStore } from '../../lib/metrics/store.ts'
import type { XdsCounters } from './stream.ts'

/** Seconds; Istio's (pilot/pkg/xds/monitoring.go). */
const CONVERGENCE_BUCKETS = [0.1, 0.5, 1, 3, 5, 10, 20, 30]
const PUSH_BUCKETS = [0.01, 0.1, 1, 3, 5, 10, 20, 30]

/** The pilot's xDS metrics, with Istio's names. */
export function xdsMetrics(store: MetricStore): { connected: Metric; counters: XdsCounters } {
  const typeName = (type: TypeUrl) => SHORT_TYPE[type].toLowerCase()
  const convergence = store.histogram('pilot_proxy_convergence_time', {}, CONVERGENCE_BUCKETS)
  const pushes = new Map<TypeUrl, readonly [count: Metric, bytes: Metric]>()
  const rejects = (type: TypeUrl) => store.counter('pilot_total_xds_rejects', { type: typeName(type) })
  const expired = (type: TypeUrl) => store.counter('pilot_xds_expired_nonce', { type: typeName(type) })
  // They are there before the first, or the rate of it would be unknown.
  for (const type of PUSH_ORDER) {
    rejects(type)
    expired(type)
  }
  return {
    connected: store.gauge('pilot_xds'),
    counters: {
      pushes(type, bytes) {
        let counted = pushes.get(type)
        if (counted === undefined) {
          const labels = { type: typeName(type) }
          counted = [store.counter('pilot_xds_pushes', labels), store.counter('pilot_xds_push_bytes_total', labels)]
          pushes.set(type, counted)
        }
        counted[0].inc()
        counted[1].add(bytes)
      },
      pushTook: (type, ms) =>
        store.histogram('pilot_xds_push_time', { type: typeName(type) }, PUSH_BUCKETS).record(ms / 1000),
      rejects: (type) => rejects(type).inc(),
      converged: (ms) => convergence.record(ms / 1000),
      expiredNonce: (type) => expired(type).inc(),
    },
  }
}
