import { connect, type Socket } from 'node:net'
import { WheelTimer } from '../../lib/timer-wheel.ts'
import { RANDOM_VALUE_BOUND } from '../decide/call.ts'
import { pick } from '../decide/decide.ts'
import type { TcpProxyPlan } from '../plan/plan.ts'
import type { StreamContext } from '../stream/context.ts'
import { Tunnel } from '../stream/tunnel.ts'
import type { Cluster } from '../upstream/cluster.ts'
import type { TcpStats } from './stats.ts'

/** How many hosts are tried when connecting fails (Envoy's max_connect_attempts is 1; a second costs nothing sent). */
const MAX_CONNECT_ATTEMPTS = 2

/**
 * One proxied TCP connection: a cluster is picked by weight, a host by its balancer, then bytes pass both ways. The
 * client is not read before the upstream is there.
 */
export class TcpConnection {
  readonly #client: Socket
  readonly #plan: TcpProxyPlan
  readonly #context: StreamContext
  readonly #stats: TcpStats
  readonly #onClosed: (connection: TcpConnection) => void
  readonly #timer: WheelTimer
  #upstream: Socket | undefined
  #cluster: Cluster | undefined
  #attempts = 0
  #isClosed = false

  constructor(
    client: Socket,
    plan: TcpProxyPlan,
    context: StreamContext,
    stats: TcpStats,
    onClosed: (connection: TcpConnection) => void,
  ) {
    this.#client = client
    this.#plan = plan
    this.#context = context
    this.#stats = stats
    this.#onClosed = onClosed
    this.#timer = new WheelTimer(this.#guard(() => this.#upstream?.destroy(new Error('connection timeout'))))
    stats.downstream_cx_total.inc()
    stats.downstream_cx_active.inc()
    client.pause()
    const finish = this.#guard(() => this.#finish())
    client.on('error', finish)
    client.on('close', finish)
    const choice = pick(plan.clusters, Math.floor(context.random.next() * RANDOM_VALUE_BOUND))
    this.#cluster = context.cluster(choice.cluster)
    if (this.#cluster === undefined) {
      stats.downstream_cx_no_route.inc()
      client.resetAndDestroy()
    } else this.#connect(this.#cluster)
  }

  destroy(): void {
    this.#client.destroy()
    this.#upstream?.destroy()
  }

  #connect(cluster: Cluster): void {
    const host = cluster.pickHost()
    if (host === undefined || !cluster.hasRoomForConnection()) {
      if (host === undefined) cluster.stats.upstream_cx_none_healthy.inc()
      else cluster.stats.upstream_cx_overflow.inc()
      this.#client.resetAndDestroy()
      return
    }
    this.#attempts++
    const { unixPath, address, port } = host.plan
    const where = unixPath === '' ? { host: address, port } : { path: unixPath }
    const upstream = connect({ ...where, noDelay: true, allowHalfOpen: true })
    this.#upstream = upstream
    cluster.connections++
    host.totalRequests++
    cluster.stats.upstream_cx_total.inc()
    cluster.stats.upstream_cx_active.inc()
    this.#context.wheel.arm(this.#timer, cluster.plan.connectTimeoutMs)
    upstream.once('close', () => {
      cluster.connections--
      cluster.stats.upstream_cx_active.dec()
    })
    const onConnectError = this.#guard(() => {
      this.#context.wheel.disarm(this.#timer)
      cluster.stats.upstream_cx_connect_fail.inc()
      if (this.#isClosed) return
      if (this.#attempts < MAX_CONNECT_ATTEMPTS) this.#connect(cluster)
      else this.#client.resetAndDestroy()
    })
    upstream.once('error', onConnectError)
    upstream.once(
      'connect',
      this.#guard(() => {
        this.#context.wheel.disarm(this.#timer)
        upstream.off('error', onConnectError)
        new Tunnel(this.#client, upstream, this.#context.wheel, this.#plan.idleTimeoutMs, () => this.#finish())
      }),
    )
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
    this.#onClosed(this)
  }
}
