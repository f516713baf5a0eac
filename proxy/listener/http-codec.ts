import type { Socket } from 'node:net'
import { WheelTimer } from '../../lib/timer-wheel.ts'
import type { ConnectionFacts } from '../decide/connection-facts.ts'
import { type ManagerSource, ServerConnection } from '../http1/server-connection.ts'
import { PREFACE } from '../http2/frame.ts'
import { H2, PEER_PROTOCOL } from '../http2/peer-protocol.ts'
import { ServerSession } from '../http2/server-session.ts'
import type { StreamContext } from '../stream/context.ts'

/** A client's connection, whatever the protocol on it. */
export interface HttpConnection {
  /** Closes after its next answer, or when it has been idle for so long. */
  drain(idleGraceMs: number): void
  destroy(): void
}

export type OnClosed = (connection: HttpConnection) => void

/** Bytes that tell the preface of HTTP/2 from any method of HTTP/1.1: the reserved method PRI and its space. */
const TELLING_BYTES = 4
const SNIFF_MS = 10_000

/** Chooses the codec: as the connection manager says, else by ALPN, else by the first bytes. */
export function openHttp(
  socket: Socket,
  facts: ConnectionFacts,
  context: StreamContext,
  source: ManagerSource,
  onClosed: OnClosed,
): HttpConnection {
  const protocol = facts.tls?.alpn ?? ''
  const codec = source.manager?.codec ?? 'auto'
  const isPeer = protocol === PEER_PROTOCOL
  if (isPeer || codec === 'http2' || (codec === 'auto' && protocol === H2)) {
    return new ServerSession(socket, facts, context, source, isPeer, onClosed)
  }
  if (codec === 'http1' || protocol !== '') return new ServerConnection(socket, facts, context, source, onClosed)
  return new SniffedConnection(socket, facts, context, source, onClosed)
}

/** Waits for the first bytes, and is then the one or the other. */
class SniffedConnection implements HttpConnection {
  #chosen: HttpConnection | undefined
  #early: Buffer | undefined
  readonly #socket: Socket
  readonly #timer: WheelTimer
  readonly #choose: (first: Buffer) => void

  constructor(
    socket: Socket,
    facts: ConnectionFacts,
    context: StreamContext,
    source: ManagerSource,
    onClosed: OnClosed,
  ) {
    this.#socket = socket
    const closed = () => onClosed(this)
    this.#timer = new WheelTimer(() => socket.destroy())
    const { bugs, wheel } = context
    const onEnd = () => {
      socket.destroy()
    }
    const onClose = () => {
      wheel.disarm(this.#timer)
      closed()
    }
    const onData = (chunk: Buffer) => {
      const bytes = this.#early === undefined ? chunk : Buffer.concat([this.#early, chunk])
      if (bytes.length < TELLING_BYTES && PREFACE.subarray(0, bytes.length).equals(bytes)) {
        this.#early = bytes
        wheel.arm(this.#timer, SNIFF_MS)
        return
      }
      wheel.disarm(this.#timer)
      socket.off('data', onData)
      socket.off('end', onEnd)
      socket.off('close', onClose)
      this.#choose(bytes)
    }
    this.#choose = (bytes) => {
      try {
        // It may be shorter: the first byte that differs tells.
        const isH2 = PREFACE.subarray(0, TELLING_BYTES).equals(bytes.subarray(0, TELLING_BYTES))
        this.#chosen = isH2
          ? new ServerSession(socket, facts, context, source, false, closed)
          : new ServerConnection(socket, facts, context, source, closed)
        socket.off('error', onError)
        socket.emit('data', bytes)
      } catch (thrown) {
        bugs.report('listener', thrown)
        socket.destroy()
      }
    }
    const onError = () => socket.destroy()
    socket.on('data', onData)
    socket.on('end', onEnd)
    socket.on('close', onClose)
    socket.on('error', onError)
    const idleMs = source.manager?.idleTimeoutMs ?? 0
    if (idleMs > 0) wheel.arm(this.#timer, idleMs)
  }

  drain(idleGraceMs: number): void {
    if (this.#chosen !== undefined) this.#chosen.drain(idleGraceMs)
    else this.#socket.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
