import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { PluginConfigSchema } from '../../../api/gen/istio/stats/config_pb.js'
import { ManualClock } from '../../../lib/clock.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { connectionFacts } from '../../decide/connection-facts.ts'
import { newDecision } from '../../decide/decision.ts'
import { parseRequestHead } from '../../http1/request-parser.ts'
import type { NodeFacts } from '../../node-facts.ts'
import type { HttpManagerPlan } from '../../plan/plan.ts'
import { RequestHead } from '../../stream/message.ts'
import type { TlsFacts } from '../../tls/peer.ts'
import { CallRecord } from '../call-record.ts'
import type { ObserverContext } from '../observer.ts'
import { CallObservers } from '../observers.ts'
import type { Sink } from '../sinks.ts'
import { statsPlan } from './config.ts'

/** Records and contexts for tests and benches. */

export const NODE: NodeFacts = {
  id: 'sidecar~10.0.0.1~reviews-v2-1.default~default.svc.cluster.local',
  cluster: 'reviews.default',
  zone: '',
  metadata: {
    NAME: 'reviews-v2-1',
    NAMESPACE: 'default',
    WORKLOAD_NAME: 'reviews-v2',
    CLUSTER_ID: 'Kubernetes',
    LABELS: { app: 'reviews', version: 'v2' },
  },
}

export function observing(seriesLimit = 10_000) {
  const metrics = new MetricStore()
  const clock = new ManualClock()
  const sinks = new Map<string, Sink>()
  const context = {
    stream: { metrics, clock } as unknown as ObserverContext['stream'],
    node: NODE,
    seriesLimit,
    sink<T extends Sink>(key: string, make: () => T): T {
      const sink = (sinks.get(key) as T | undefined) ?? make()
      sinks.set(key, sink)
      return sink
    },
  }
  return { metrics, clock, context }
}

export function stats(direction: 'inbound' | 'outbound', fields: MessageInitShape<typeof PluginConfigSchema> = {}) {
  return statsPlan(create(PluginConfigSchema, fields), direction)
}

/** A client of the mesh by its URI. */
export function meshTls(uri: string, localUri: string): TlsFacts {
  return { peer: { uri }, localUris: [localUri], isPeerVerified: true } as unknown as TlsFacts
}

export function recordOf(lines: string, tls?: TlsFacts): CallRecord {
  const head = new RequestHead()
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: reviews:9080\r\n${lines}\r\n`, 'latin1')
  parseRequestHead(bytes, 0, bytes.length - 4, head)
  head.authority = 'reviews:9080'
  const record = new CallRecord({ head, facts: connectionFacts({ tls }), decision: newDecision() })
  record.begin(new CallObservers([], () => {}), {} as HttpManagerPlan, 10, 0)
  return record
}
