import { hostname } from 'node:os'
import { parseNodeId } from '../../api/node.ts'
import { SHORT_TYPE } from '../../api/type-urls.ts'
import { VERSION } from '../../lib/version.ts'
import type { Pilot } from '../pilot.ts'
import type { XdsStream } from '../xds/stream.ts'
import type { Subscription } from '../xds/subscription.ts'

export interface TypeSync {
  status: 'SYNCED' | 'STALE' | 'NOT SENT' | 'ERROR'
  /** Since the client last answered, or, while it has not, since it was sent to. */
  ageMs: number
  version: string
  error: string
}

export interface ProxySync {
  proxy: string
  cluster: string
  pilot: string
  version: string
  connectedMs: number
  types: Record<string, TypeSync>
}

/** Every connected proxy and how far it has come, as istiod's /debug/syncz. */
export function syncz(pilot: Pilot): ProxySync[] {
  const nowMs = pilot.clock.wallMs()
  return [...pilot.xds.streams]
    .map((stream) => proxySync(stream, nowMs))
    .sort((a, b) => (a.proxy < b.proxy ? -1 : a.proxy > b.proxy ? 1 : 0))
}

function proxySync(stream: XdsStream, nowMs: number): ProxySync {
  const { node } = stream
  const id = parseNodeId(node.id)
  const types: Record<string, TypeSync> = {}
  for (const [type, subscription] of stream.subscriptions) types[SHORT_TYPE[type]] = typeSync(subscription, nowMs)
  return {
    proxy: id === undefined ? node.id : `${id.name}.${id.namespace}`,
    cluster: String(node.metadata.CLUSTER_ID ?? 'Kubernetes'),
    pilot: hostname(),
    version: VERSION,
    connectedMs: nowMs - stream.connectedAtMs,
    types,
  }
}

function typeSync(subscription: Subscription, nowMs: number): TypeSync {
  const { sentAtMs, ackedAtMs, isAwaitingAck, lastError, version } = subscription
  if (sentAtMs === 0) return { status: 'NOT SENT', ageMs: 0, version, error: '' }
  if (isAwaitingAck) return { status: 'STALE', ageMs: nowMs - sentAtMs, version, error: lastError }
  return { status: lastError === '' ? 'SYNCED' : 'ERROR', ageMs: nowMs - ackedAtMs, version, error: lastError }
}
