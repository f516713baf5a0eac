import type { Socket } from 'node:net'
import type { Roster, RosterMember } from '../../lib/roster.ts'
import { shareReads } from '../../lib/sockets/shared-read-socket.ts'
import type { ConnectionFacts } from '../decide/connection-facts.ts'
import { type ManagerSource, ServerConnection } from '../http1/server-connection.ts'
import { H2, PEER_PROTOCOL } from '../http2/peer-protocol.ts'
import { ServerSession } from '../http2/server-session.ts'
import type { StreamContext } from '../stream/context.ts'

/** A client's connection, whatever the protocol on it. */
export interface HttpConnection extends RosterMember {
  /** Closes after its next answer, or when it has been idle for so long. */
  drain(idleGraceMs: number): void
  destroy(): void
}

/**
 * Opens the codec of a connection and keeps it among `open` as long as it lasts: the codec that the connection manager
 * names, else that of ALPN, else HTTP/1.1, which makes way when the first bytes are those of HTTP/2.
 */
export function openHttp(
  socket: Socket,
  facts: ConnectionFacts,
  context: StreamContext,
  source: ManagerSource,
  open: Roster<HttpConnection>,
): void {
  const { downstream_cx_total, downstream_cx_active, downstream_cx_length_ms } = source.stats
  downstream_cx_total.inc()
  // Those of now: the source's are others once the listener has changed.
  downstream_cx_active.inc()
  const { clock } = context
  const startedMs = clock.nowMs()
  const onClosed = (connection: HttpConnection) => {
    downstream_cx_active.dec()
    downstream_cx_length_ms.record(clock.nowMs() - startedMs)
    open.delete(connection)
  }
  if (facts.tls !== undefined) shareReads(socket)
  const protocol = facts.tls?.alpn ?? ''
  const codec = source.manager?.codec ?? 'auto'
  const isPeer = protocol === PEER_PROTOCOL
  if (isPeer || codec === 'http2' || (codec === 'auto' && protocol === H2)) {
    open.add(new ServerSession(socket, facts, context, source, isPeer, onClosed))
  } else if (codec === 'http1' || protocol !== '') {
    open.add(new ServerConnection(socket, facts, context, source, onClosed))
  } else {
    const onPreface = (bytes: Buffer) => {
      try {
        open.delete(connection)
        open.add(new ServerSession(socket, facts, context, source, false, onClosed))
        socket.emit('data', bytes)
      } catch (thrown) {
        context.bugs.report('listener', thrown)
        socket.destroy()
      }
    }
    const connection: ServerConnection = new ServerConnection(socket, facts, context, source, onClosed, onPreface)
    open.add(connection)
  }
}
