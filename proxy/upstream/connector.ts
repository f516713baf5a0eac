import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { RosterMember } from '../../lib/roster.ts'
import { allowDirectWrites } from '../../lib/sockets/direct-write.ts'
import { LentMemory } from '../../lib/sockets/lent-memory.ts'
import { generateReads } from '../../lib/sockets/shared-read-socket.ts'
import { readByPoll } from '../../lib/sockets/socket-poll.ts'
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts'
import type { EndpointPlan } from '../plan/plan.ts'
import type { UpstreamTlsPlan } from '../plan/tls-plan.ts'
import type { BugReporter } from '../stream/bugs.ts'
import type { SslStats } from '../tls/stats.ts'
import { connectUpstream, readyEvent } from '../tls/upstream.ts'
import type { PoolFailure } from './attempt.ts'
import type { ClusterStats } from './stats.ts'

/**
 * Where all upstream connections read into: whoever reads is done with the bytes when it returns, so that no
 * buffer is allocated for a read.
 */
export const upstreamMemory = new LentMemory()

/** What a connection that carries a large body reads into: its own, so that the bytes need not be copied. */
const BULK_BYTES = 128 * 1024
const MAX_SPARE_BULK = 8
const spareBulk: Buffer[] = []

/** The codec of a connection: takes the bytes as they come. */
export interface ByteReader {
  /** The bytes are only lent; `isStable` says until when: for the call, or until the connection is read on. */
  onBytes(bytes: Buffer, isStable: boolean): void
}

/** A read of at least this much is part of a large body. */
export const BULK_READ_BYTES = upstreamMemory.bytes.length

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
  readonly stats: Pick<ClusterStats, 'upstream_cx_connect_ms' | 'upstream_cx_length_ms'>
  /** Offered in the place of the cluster's own. */
  readonly alpnProtocols: readonly string[] | undefined
}

/** Opens one connection to an upstream host within a time, and then hands over what comes on it. */
export class Connector implements RosterMember {
  rosterIndex = -1
  readonly socket: Socket
  /** ALPN's choice; '' when there was none. */
  protocol = ''
  readonly isTls: boolean
  reader: ByteReader | undefined
  readonly #owner: ConnectorOwner
  readonly #bugs: BugReporter
  readonly #wheel: TimerWheel
  readonly #timer: WheelTimer
  readonly #stats: ConnectTarget['stats']
  readonly #startedMs: number
  #isOpening = true
  #hasRead = false
  #bulk: Buffer | undefined

  constructor(target: ConnectTarget, owner: ConnectorOwner, wheel: TimerWheel, bugs: BugReporter) {
    this.#owner = owner
    this.#bugs = bugs
    this.#wheel = wheel
    this.#stats = target.stats
    this.#startedMs = wheel.nowMs()
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
    this.socket.on('close', () => {
      this.#stats.upstream_cx_length_ms.record(wheel.nowMs() - this.#startedMs)
      this.#fail('connect_failure', 'connection termination')
    })
  }

  /** Gives up opening, without a word to the owner. */
  cancel(): void {
    this.#isOpening = false
    this.#wheel.disarm(this.#timer)
    this.socket.destroy()
  }

  #open({ endpoint, tls, host, sslStats, alpnProtocols }: ConnectTarget): Socket {
    const callback = (length: number, buffer: Uint8Array) => {
      this.#onRead(
        buffer === upstreamMemory.bytes ? upstreamMemory.part(length) : (buffer as Buffer).subarray(0, length),
        buffer === this.#bulk,
      )
      // A connection that is used once is not worth it.
      if (!this.#hasRead) this.#hasRead = true
      else if (!this.isTls && this.#bulk === undefined) readByPoll(this.socket, upstreamMemory, this.#onPolled)
      return true
    }
    const onread = { buffer: upstreamMemory.bytes, callback }
    return connectUpstream(endpoint, tls, { onread, host, stats: sslStats, alpnProtocols })
  }

  /**
   * From its next read on, the connection has a buffer of its own. Not with TLS, which hands over all records that it has
   * read, one after the other, even when the socket is paused in between.
   */
  beginBulk(): void {
    if (this.isTls || this.#bulk !== undefined) return
    if (!generateReads(this.socket, () => this.#nextBuffer())) return
    this.#bulk = spareBulk.pop() ?? Buffer.allocUnsafeSlow(BULK_BYTES)
  }

  #nextBuffer(): Uint8Array {
    if (this.#bulk !== undefined) return this.#bulk
    generateReads(this.socket, undefined)
    return upstreamMemory.bytes
  }

  /** Takes the buffer away; `isFree` says that nobody still needs bytes of it. */
  endBulk(isFree: boolean): void {
    const bulk = this.#bulk
    if (bulk === undefined) return
    this.#bulk = undefined
    if (isFree && spareBulk.length < MAX_SPARE_BULK) spareBulk.push(bulk)
  }

  readonly #onPolled = (bytes: Buffer): void => this.#onRead(bytes, false)

  #onRead(bytes: Buffer, isStable: boolean): void {
    try {
      this.reader?.onBytes(bytes, isStable)
    } catch (thrown) {
      this.#bugs.report('upstream', thrown)
      this.socket.destroy()
    }
  }

  #onConnect(): void {
    if (!this.#isOpening) return
    this.#isOpening = false
    this.#wheel.disarm(this.#timer)
    this.#stats.upstream_cx_connect_ms.record(this.#wheel.nowMs() - this.#startedMs)
    if (this.isTls) this.protocol = (this.socket as TLSSocket).alpnProtocol || ''
    else allowDirectWrites(this.socket)
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
