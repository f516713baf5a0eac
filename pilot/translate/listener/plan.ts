import type { Origin } from '../../../api/origin.ts'
import type { ServerTLSSettings } from '../../../crds/kinds/gateway.ts'
import type { ModeTelemetry } from '../../mesh/telemetry.ts'
import type { PlacedPatch } from '../limits/plan.ts'
import type { InboundPolicy } from '../policy/plan.ts'
import type { InboundReports } from '../policy/reports.ts'
import type { SecurityPlan } from '../security/plan.ts'

/** A listener before it is made. Plain data: the same content makes the same listener. */
export interface ListenerPlan {
  readonly name: string
  readonly bind: string
  readonly port: number
  /** False: it takes connections only from the listener that was redirected to. */
  readonly bindToPort: boolean
  readonly direction: 'inbound' | 'outbound'
  /** Whether connections are handed to the listener of the address that they were made for. */
  readonly useOriginalDst: boolean
  readonly chains: readonly ChainPlan[]
  /** Takes the connections that no chain matches. */
  readonly defaultChain: ChainPlan | undefined
  /** What is told of connections that no chain takes, and to whom. */
  readonly telemetry?: ModeTelemetry
  /** Undefined for listeners that no YAML asked for. */
  readonly origin: Origin | undefined
}

export interface ChainPlan {
  readonly name: string
  readonly match: ChainMatch
  readonly target: HttpTarget | TcpTarget
  /** How TLS is ended before the target sees a byte; undefined where it is not. */
  readonly tls?: ServerTls
  /** Set where nothing is known of callers, nor may be asked: what they say is for the workload behind. */
  readonly passesTls?: true
  /** What is asked of callers before the target is reached. */
  readonly security?: SecurityPlan | undefined
  /** How much passes. */
  readonly limits?: readonly PlacedPatch[]
  /** What is told of its calls, and to whom. */
  readonly telemetry?: ModeTelemetry
  /** And what the mixer is told of them. */
  readonly reports?: InboundReports
  readonly origin: Origin | undefined
}

export interface ServerTls {
  /** Of a gateway's server; `mesh`: the mesh's own, both ways. */
  readonly settings: ServerTLSSettings | 'mesh'
  readonly alpnProtocols: readonly string[]
}

export interface ChainMatch {
  readonly port?: number
  readonly destinations?: readonly string[]
  readonly serverNames?: readonly string[]
  readonly transportProtocol?: 'tls'
  readonly applicationProtocols?: readonly string[]
}

export interface HttpTarget {
  readonly kind: 'http'
  readonly role: HttpRole
  readonly statPrefix: string
  /** By name over the aggregated stream, or, of an inbound port, everything to one cluster. */
  readonly routes: { readonly rds: string } | InlineRoutes
  /** What the mixer is asked about its calls. */
  readonly policy?: InboundPolicy | undefined
}

/** Who the HTTP connection manager works for; several of its settings follow from that. */
export type HttpRole = 'sidecarOutbound' | 'sidecarInbound' | 'gateway'

export interface InlineRoutes {
  readonly name: string
  readonly virtualHost: string
  readonly cluster: string
  readonly origin: Origin
}

export interface TcpTarget {
  readonly kind: 'tcp'
  readonly statPrefix: string
  readonly clusters: readonly { readonly name: string; readonly weight: number }[]
  readonly idleTimeout: string | undefined
  /** Connections of the same client go to the same endpoint. */
  readonly hashesSourceIp: boolean
}

export function tcpTarget(cluster: string, idleTimeout?: string, hashesSourceIp = false): TcpTarget {
  return { kind: 'tcp', statPrefix: cluster, clusters: [{ name: cluster, weight: 1 }], idleTimeout, hashesSourceIp }
}

/** Istio's getListenerName. */
export function listenerName(bind: string, port: number): string {
  return bind.startsWith('unix://') || bind.startsWith('/') ? bind : `${bind}_${port}`
}

/** Whatever chain a connection finds, the same is asked of its caller. */
export function withSecurity(plan: ListenerPlan, security: SecurityPlan | undefined): ListenerPlan {
  if (security === undefined) return plan
  const secured = (chain: ChainPlan): ChainPlan => (chain.passesTls ? chain : { ...chain, security })
  return { ...plan, chains: plan.chains.map(secured), defaultChain: plan.defaultChain && secured(plan.defaultChain) }
}
