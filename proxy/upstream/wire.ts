import type { RosterMember } from '../../lib/roster.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { ConnectTarget } from './connector.ts'
import type { PooledConnection } from './upstream-stream.ts'

/** A connection that is being opened over something else than a socket. */
export interface VirtualConnector extends RosterMember {
  /** ALPN's choice; '' when there was none. */
  readonly protocol: string
  /** Called once it is connected: what the pool holds from then on. */
  speak(pool: ConnectionPool, isHttp2: boolean): PooledConnection
}

/** What stands in the place of sockets under connection pools: a simulated network. */
export interface Wire {
  /** Begins to connect. Later, never within the call, it calls `pool.onConnected()` or `pool.onConnectFailed()`. */
  connect(target: ConnectTarget, pool: ConnectionPool): VirtualConnector
}
