import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { ResponseFlag } from '../../api/response-flags.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import type { RosterMember } from '../../lib/roster.ts'
import { WheelTimer } from '../../lib/timer-wheel.ts'
import { RANDOM_VALUE_BOUND } from '../decide/call.ts'
import type { ConnectionFacts } from '../decide/connection-facts.ts'
import { pick } from '../decide/decide.ts'
import { addressWithPort } from '../decide/fields.ts'
import { hashOfAddress } from '../decide/hash.ts'
import type { TcpProxyPlan } from '../plan/plan.ts'
import type { StreamContext } from '../stream/context.ts'
import { Tunnel } from '../stream/tunnel.ts'
import { ConnectionRecord } from '../telemetry/connection-record.ts'
import type { ConnectionObserver } from '../telemetry/observer.ts'
import type { ConnectionObservers } from '../telemetry/observers.ts'
import { connectUpstream, readyEvent, verifiedUri } from '../tls/upstream.ts'
import type { Cluster } from '../upstream/cluster.ts'
import type { Host } from '../upstream/host.ts'
import { ANY_HOST, type HostChoice } from '../upstream/lb/choice.ts'
import { originalEndpoint } from './original-endpoint.ts'
import { type TcpStats, tcpStats } from './stats.ts'

/**
 * One proxied TCP connection: a cluster is picked by weight, a host by its balancer, then bytes pass both ways. The
 * client is not read before the upstream is there.
 */
export class TcpConnection implements RosterMember {
  rosterIndex = -1
  readonly #client: Socket
  readonly #facts: ConnectionFacts
  readonly #plan: TcpProxyPlan
  readonly #context: StreamContext
  readonly #stats: TcpStats
  readonly #onClosed: (connection: TcpConnection) => void
  readonly #timer: WheelTimer
  readonly #choice: HostChoice
  readonly #observers: ConnectionObservers | undefined
  /** Where somebody observes: this proxy's connections, or all of the listener. */
  readonly #record: ConnectionRecord | undefined
  #upstream: Socket | undefined
  #attempts = 0
  #isClosed = false

  constructor(
    client: Socket,
    facts: ConnectionFacts,
    plan: TcpProxyPlan,
    context: StreamContext,
    metrics: MetricStore,
    onClosed: (connection: TcpConnection) => void,
    record?: ConnectionRecord,
  ) {
    this.#client = client
    this.#facts = facts
    this.#plan = plan
    this.#context = context
    this.#stats = tcpStats(metrics, plan.statPrefix)
    this.#onClosed = onClosed
    this.#timer = new WheelTimer(this.#guard(() => this.#upstream?.destroy(new Error('connection timeout'))))
    this.#stats.downstream_cx_total.inc()
    this.#stats.downstream_cx_active.inc()
    client.pause()
    const { clock } = context
    this.#observers = context.telemetry.connectionObserversOf(plan)
    this.#record = record ?? (this.#observers && new ConnectionRecord(facts, clock.nowMs(), clock.wallMs()))
    this.#tell('onOpen')
    const finish = this.#guard(() => this.#finish())
    client.on('error', finish)
    client.on('close', finish)
    const choice = pick(plan.clusters, Math.floor(context.random.next() * RANDOM_VALUE_BOUND))
    const { criteria } = choice
    const hash = plan.hashesSourceIp ? hashOfAddress(facts.sourceAddress) : undefined
    this.#choice = criteria === undefined && hash === undefined ? ANY_HOST : { ...ANY_HOST, criteria, hash }
    const cluster = context.cluster(choice.cluster)
    if (cluster === undefined) {
      this.#stats.downstream_cx_no_route.inc()
      this.#note('NC')
      reset(client)
    } else this.#connect(cluster)
  }

  destroy(): void {
    this.#client.destroy()
    this.#upstream?.destroy()
  }

  #connect(cluster: Cluster): void {
    const record = this.#record
    if (record !== undefined) record.cluster = cluster
    const target = this.#pickTarget(cluster)
    if (target === undefined || !cluster.breaker.hasRoomForConnection()) {
      if (target === undefined) cluster.stats.upstream_cx_none_healthy.inc()
      else cluster.stats.upstream_cx_overflow.inc()
      this.#note(target === undefined ? 'UH' : 'UO')
      reset(this.#client)
      return
    }
    this.#attempts++
    const { plan, sslStats: stats } = cluster
    const { tls } = target
    const { clock } = this.#context
    const upstream = connectUpstream(target.plan, tls, { stats, clock })
    this.#upstream = upstream
    cluster.breaker.countConnection(1)
    cluster.stats.upstream_cx_total.inc()
    // For Envoy each connection is a request for one, too.
    cluster.stats.upstream_rq_pending_total.inc()
    this.#context.wheel.arm(this.#timer, plan.connectTimeoutMs)
    const startedMs = clock.nowMs()
    upstream.once('close', () => {
      cluster.stats.upstream_cx_length_ms.record(clock.nowMs() - startedMs)
      cluster.breaker.countConnection(-1)
    })
    const host = 'key' in target ? target : undefined
    if (record !== undefined) {
      record.tries = this.#attempts
      record.host = host
    }
    const onFailed = this.#guard(() => this.#onConnectFailed(cluster, host))
    upstream.once('error', onFailed)
    upstream.once(
      readyEvent(tls),
      this.#guard(() => {
        this.#context.wheel.disarm(this.#timer)
        upstream.off('error', onFailed)
        cluster.stats.upstream_rq_total.inc()
        cluster.stats.upstream_cx_connect_ms.record(clock.nowMs() - startedMs)
        if (host !== undefined) {
          cluster.outcomes.onOpaqueConnected(host)
          host.peerUri = verifiedUri(upstream) ?? host.peerUri
        }
        if (record !== undefined) this.#onConnected(record, upstream)
        const { wheel } = this.#context
        new Tunnel(this.#client, upstream, wheel, this.#plan.idleTimeoutMs, () => this.#finish(), record)
      }),
    )
  }

  /** A host of the cluster, or the place that the client meant. */
  #pickTarget(cluster: Cluster): Host | Pick<Host, 'plan' | 'tls'> | undefined {
    if (cluster.plan.discovery === 'original_dst') {
      const plan = originalEndpoint(this.#facts)
      return plan && { plan, tls: cluster.tls }
    }
    const host = cluster.pickHost(this.#choice)
    if (host !== undefined) host.totalRequests++
    return host
  }

  #onConnectFailed(cluster: Cluster, host: Host | undefined): void {
    if (host !== undefined) cluster.outcomes.onLocalFailure(host, this.#timer.armed ? 'connect_failure' : 'timeout')
    if (this.#timer.armed) this.#context.wheel.disarm(this.#timer)
    else cluster.stats.upstream_cx_connect_timeout.inc()
    cluster.stats.upstream_cx_connect_fail.inc()
    if (this.#isClosed) return
    if (this.#attempts < this.#plan.maxConnectAttempts) this.#connect(cluster)
    else {
      this.#note('UF')
      reset(this.#client)
    }
  }

  #onConnected(record: ConnectionRecord, upstream: Socket): void {
    record.connectedMs = this.#context.clock.nowMs()
    record.upstreamLocalAddress = addressWithPort(upstream.localAddress ?? '', upstream.localPort ?? 0)
    this.#tell('onConnected')
  }

  #note(flag: ResponseFlag): void {
    if (this.#record !== undefined) this.#record.flag = flag
  }

  #tell(event: keyof ConnectionObserver): void {
    if (this.#record !== undefined) this.#observers?.tell(event, this.#record)
  }

  #guard(handle: () => void): () => void {
    return this.#context.bugs.guard('tcp', handle, () => this.destroy())
  }

  #finish(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#context.wheel.disarm(this.#timer)
    if (!this.#client.readableEnded) this.#upstream?.destroy()
    this.#stats.downstream_cx_active.dec()
    if (this.#record !== undefined) this.#record.endMs = this.#context.clock.nowMs()
    this.#tell('onEnd')
    this.#onClosed(this)
  }
}

/** A reset says that something went wrong, where a close would look like an empty answer. TLS has none. */
function reset(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy()
  else socket.resetAndDestroy()
}
