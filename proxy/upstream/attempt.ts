import type { ResponseHead } from '../stream/message.ts'
import type { Priority } from './circuit-breaker.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { UpstreamStream } from './upstream-stream.ts'

/** Why no connection could be had. */
export type PoolFailure = 'connect_failure' | 'connect_timeout' | 'overflow' | 'no_healthy_upstream'

/**
 * Why an exchange broke off on its connection. `refused` says that the peer did nothing with it (HTTP/2 REFUSED_STREAM, or
 * a stream after the last one of a GOAWAY); `internal_error` is a bug of ours.
 */
export type ResetReason = 'reset' | 'refused' | 'protocol_error' | 'internal_error'

/** One try of one request: what a pool serves, and what a connection reports to. Exactly one ending is called. */
export interface Attempt {
  readonly method: string
  /** The host that the request is for. */
  readonly authority: string
  /** The request came by HTTP/2. */
  readonly isHttp2: boolean
  /** Its bytes go to the host as they are: it needs a connection of its own (envoy.config.route.v3 ConnectConfig). */
  readonly isRaw: boolean
  /** Whose circuit breakers and connections it uses. */
  readonly priority: Priority
  /** Owned by the pools: the one in which it waits for a connection. The host may have got another meanwhile. */
  waitsIn: ConnectionPool | undefined
  /** A connection is there: write the request. */
  onStream(stream: UpstreamStream): void
  /** Ending: no connection could be had; nothing was sent. */
  onPoolFailure(reason: PoolFailure, detail: string): void
  /** A final head (or 101). Only valid during the exchange. */
  onResponseHead(head: ResponseHead): void
  /** The bytes are only lent: for the call, or, when `isStable`, until the stream is read on after it was paused. */
  onResponseData(data: Buffer, isStable: boolean): void
  /** HTTP/1.1 lines. */
  onResponseTrailers(lines: string): void
  /** All that has arrived so far was handed over: what was gathered may be flushed. */
  onReadPause(): void
  /** Ending: the response is complete. In a tunnel only the upstream's half is over, and the other may go on. */
  onResponseEnd(): void
  /** Ending: the connection broke. */
  onReset(reason: ResetReason, detail: string): void
  /** The connection can take more of the request's body. */
  onWritable(): void
}
