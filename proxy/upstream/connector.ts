import { connect, type Socket } from 'node:net'
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts'
import type { EndpointPlan } from '../plan/plan.ts'
import type { BugReporter } from '../stream/bugs.ts'
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

/** Opens one connection to an upstream host within a time, and then hands over what comes on it. */
export class Connector {
  readonly socket: Socket
  /** ALPN's choice; '' when there was none. */
  protocol = ''
  readonly isTls = false
  reader: ByteReader | undefined
  readonly #owner: ConnectorOwner
  readonly #bugs: BugReporter
  readonly #wheel: TimerWheel
  readonly #timer: WheelTimer
  #isOpening = true

  constructor(endpoint: EndpointPlan, timeoutMs: number, owner: ConnectorOwner, wheel: TimerWheel, bugs: BugReporter) {
    this.#owner = owner
    this.#bugs = bugs
    this.#wheel = wheel
    this.socket = this.#open(endpoint)
    const guard = (handle: () => void) => bugs.guard('upstream', handle, () => this.socket.destroy())
    this.#timer = new WheelTimer(guard(() => this.#fail('connect_timeout', 'connection timeout')))
    wheel.arm(this.#timer, timeoutMs)
    this.socket.once(
      'connect',
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

  #open({ unixPath, address, port }: EndpointPlan): Socket {
    const where = unixPath === '' ? { host: address, port } : { path: unixPath }
    return connect({
      ...where,
      noDelay: true,
      // An upgraded connection may be closed one way only.
      allowHalfOpen: true,
      onread: { buffer: READ_BUFFER, callback: (length) => this.#onRead(READ_BUFFER.subarray(0, length)) },
    })
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
