import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts'
import type { EndpointPlan } from '../plan/plan.ts'
import type { UpstreamTlsPlan } from '../plan/tls-plan.ts'
import type { BugReporter } from '../stream/bugs.ts'
import type { SslStats } from '../tls/stats.ts'
import { connectUpstream, readyEvent } from '../tls/upstream.ts'
import type { PoolFailure } from './attempt.ts'

/**
 * Where all plain upstream connections read into: whoever reads is done with the bytes when it returns, so that no
 * buffer is allocated for a read.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024)

/** The codec of a connection: takes the bytes as they come. They are only lent. */
export interface ByteReader {
  onBytes(bytes: Buffer): void
}

export interface ConnectorOwner {
  /** Connected: the owner sets `connector.reader` before it returns. */
  onConnected(connector: Connector): void
  onConnectFailed(connector: Connector, reason: PoolFailure, detail: string): void
}

/** Where to and how. */
export interface ConnectTarget {
  readonly endpoint: EndpointPlan
  readonly timeoutMs: number
  readonly tls: UpstreamTlsPlan | undefined
  /** The request's host, for clusters that ask for it by SNI; '' otherwise. */
  readonly host: string
  readonly sslStats: SslStats
  /** Offered in the place of the cluster's own. */
  readonly alpnProtocols: readonly string[] | undefined
}

/** Opens one connection to an upstream host within a time, and then hands over what comes on it. */
export class Connector {
  readonly socket: Socket
  /** ALPN's choice; '' when there was none. */
  protocol = ''
  readonly isTls: boolean
  reader: ByteReader | undefined
  readonly #owner: ConnectorOwner
  readonly #bugs: BugReporter
  readonly #wheel: TimerWheel
  readonly #timer: WheelTimer
  #isOpening = true

  constructor(target: ConnectTarget, owner: ConnectorOwner, wheel: TimerWheel, bugs: BugReporter) {
    this.#owner = owner
    this.#bugs = bugs
    this.#wheel = wheel
    this.isTls = target.tls !== undefined
    this.socket = this.#open(target)
    const guard = (handle: () => void) => bugs.guard('upstream', handle, () => this.socket.destroy())
    this.#timer = new WheelTimer(guard(() => this.#fail('connect_timeout', 'connection timeout')))
    wheel.arm(this.#timer, target.timeoutMs)
    this.socket.once(
      readyEvent(target.tls),
      guard(() => this.#onConnect()),
    )
    // Before the codec listens itself: what an attempt is told when no connection came about.
    this.socket.on('error', (error) => this.#fail('connect_failure', error.message))
    this.socket.on('close', () => this.#fail('connect_failure', 'connection termination'))
  }

  /** Gives up opening, without a word to the owner. */
  cancel(): void {
    this.#isOpening = false
    this.#wheel.disarm(this.#timer)
    this.socket.destroy()
  }

  #open({ endpoint, tls, host, sslStats, alpnProtocols }: ConnectTarget): Socket {
    if (tls === undefined) {
      const callback = (length: number) => this.#onRead(READ_BUFFER.subarray(0, length))
      return connectUpstream(endpoint, undefined, { onread: { buffer: READ_BUFFER, callback } })
    }
    const socket = connectUpstream(endpoint, tls, { host, stats: sslStats, alpnProtocols })
    socket.on('data', (chunk: Buffer) => this.#onRead(chunk))
    return socket
  }

  #onRead(bytes: Buffer): boolean {
    try {
      this.reader?.onBytes(bytes)
    } catch (thrown) {
      this.#bugs.report('upstream', thrown)
      this.socket.destroy()
    }
    return true
  }

  #onConnect(): void {
    if (!this.#isOpening) return
    this.#isOpening = false
    this.#wheel.disarm(this.#timer)
    if (this.isTls) this.protocol = (this.socket as TLSSocket).alpnProtocol || ''
    this.#owner.onConnected(this)
  }

  #fail(reason: PoolFailure, detail: string): void {
    if (!this.#isOpening) return
    this.#isOpening = false
    this.#wheel.disarm(this.#timer)
    this.socket.destroy()
    this.#owner.onConnectFailed(this, reason, detail)
  }
}
