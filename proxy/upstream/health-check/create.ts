import type { MetricStore } from '../../../lib/metrics/store.ts'
import type { HealthCheckPlan } from '../../plan/health-check-plan.ts'
import type { ClusterPlan, EndpointPlan } from '../../plan/plan.ts'
import type { UpstreamTlsPlan } from '../../plan/tls-plan.ts'
import type { SslStats } from '../../tls/stats.ts'
import { connectUpstream } from '../../tls/upstream.ts'
import { COUNT, type CountKind } from '../breaker-counts.ts'
import type { HealthFlag } from '../health.ts'
import type { Host } from '../host.ts'
import { type CheckedHosts, type CheckerContext, HealthChecker } from './checker.ts'
import { GrpcProbe } from './grpc-probe.ts'
import { Http1Probe } from './http1-probe.ts'
import { Http2Probe } from './http2-probe.ts'
import type { Probe, ProbeOwner, ProbeTarget } from './probe.ts'
import { healthCheckStats } from './stats.ts'
import { TcpProbe } from './tcp-probe.ts'

/** A cluster whose hosts are checked. */
export interface HealthCheckedCluster {
  readonly plan: ClusterPlan
  readonly hosts: Iterable<Host>
  readonly stats: { readonly upstream_cx_total: { readonly value: number } }
  /** Over all threads. */
  total(kind: CountKind): number
  readonly sslStats: SslStats
  setHealthFlag(host: Host, flag: HealthFlag, isSet: boolean): void
  tlsOf(endpoint: EndpointPlan): UpstreamTlsPlan | undefined
}

/** Who hears of what checks find. */
export interface CheckListener {
  setFoundFlag(host: Host, flag: HealthFlag, isSet: boolean): void
  onHealthyCheck(host: Host): void
}

export function createHealthChecker(
  plan: HealthCheckPlan,
  listener: CheckListener,
  cluster: HealthCheckedCluster,
  context: CheckerContext & { readonly metrics: MetricStore },
): HealthChecker {
  let hasTraffic = false
  const hosts: CheckedHosts = {
    name: cluster.plan.name,
    get hosts() {
      return cluster.hosts
    },
    get hasTraffic() {
      // Once it was used it is used, whichever thread has the connections.
      hasTraffic ||= cluster.stats.upstream_cx_total.value > 0 || cluster.total(COUNT.connections) > 0
      return hasTraffic
    },
    setFoundFlag: (host, flag, isSet) => listener.setFoundFlag(host, flag, isSet),
    onHealthyCheck: (host) => listener.onHealthyCheck(host),
  }
  const stats = healthCheckStats(context.metrics, cluster.plan.name)
  const create = (host: Host, owner: ProbeOwner) =>
    createProbe(plan, new CheckedHost(plan, cluster, host, context), owner)
  return new HealthChecker(plan, hosts, context, stats, create)
}

function createProbe({ probe }: HealthCheckPlan, target: ProbeTarget, owner: ProbeOwner): Probe {
  if (probe.kind === 'tcp') return new TcpProbe(probe, target, owner)
  if (probe.kind === 'grpc') return new GrpcProbe(probe, target, owner)
  return probe.isHttp2 ? new Http2Probe(probe, target, owner) : new Http1Probe(probe, target, owner)
}

/** Where a host is checked, and as what. Looked up for each connection: plan and secrets change. */
class CheckedHost implements ProbeTarget {
  readonly reusesConnection: boolean
  readonly timeoutMs: number
  readonly #plan: HealthCheckPlan
  readonly #cluster: HealthCheckedCluster
  readonly #host: Host
  readonly #context: CheckerContext

  constructor(plan: HealthCheckPlan, cluster: HealthCheckedCluster, host: Host, context: CheckerContext) {
    this.#plan = plan
    this.#cluster = cluster
    this.#host = host
    this.#context = context
    this.reusesConnection = plan.reusesConnection
    this.timeoutMs = plan.timeoutMs
  }

  get #tls(): UpstreamTlsPlan | undefined {
    const { socketCriteria } = this.#plan
    if (socketCriteria === undefined) return this.#host.tls
    return this.#cluster.tlsOf({ ...this.#host.plan, socketMetadata: socketCriteria })
  }

  get isTls(): boolean {
    return this.#tls !== undefined
  }

  get authority(): string {
    const { probe } = this.#plan
    const own = this.#host.plan.healthCheck?.hostname ?? ''
    const configured = probe.kind === 'http' ? probe.host : probe.kind === 'grpc' ? probe.authority : ''
    return own || configured || this.#cluster.plan.name
  }

  connect(alpn?: readonly string[]) {
    const { plan } = this.#host
    const { address = '', port = 0 } = plan.healthCheck ?? {}
    const place = { ...plan, address: address || plan.address, port: port || plan.port }
    const tls = this.#tls
    const given = this.#plan.alpnProtocols
    const alpnProtocols = given ?? (tls !== undefined && tls.alpnProtocols.length === 0 ? alpn : undefined)
    const { clock } = this.#context
    const stats = this.#cluster.sslStats
    const socket = connectUpstream(place, tls, { host: this.authority, stats, clock, alpnProtocols })
    // A connection whose other half is over is of no use: it must not be kept for the next check.
    socket.once('end', () => socket.destroy())
    return socket
  }
}
