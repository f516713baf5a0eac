import type { RosterMember } from '../../lib/roster.ts'
import type { RequestHead } from '../stream/message.ts'

/** The parts of a request's start that a try decides, apart from the head it belongs to. */
export interface RequestTarget {
  readonly path: string
  readonly authority: string
  /** Written as x-envoy-attempt-count when over 0. */
  readonly attemptCount: number
  /** What goes before the first byte of a connection that is the request's own; undefined for nothing. */
  readonly preface: Buffer | undefined
}

/** One exchange on an upstream connection, as the try that owns it sees it, whatever the protocol. */
export interface UpstreamStream {
  /** The connection carried another exchange before: it may have met a close on its way. */
  readonly isReused: boolean
  /** Whether any byte of the response has come. */
  readonly hasReceived: boolean
  /** False while what was written should drain first. */
  readonly isWritable: boolean
  /** How many bytes of a body the peer takes now; undefined where it does not say. */
  readonly creditBytes?: number
  /** `hasBody` false ends the request. The head must not be changed afterwards. */
  writeHead(head: RequestHead, target: RequestTarget, hasBody: boolean): void
  /** A piece of the body, only lent for the call. False asks to wait for Attempt.onWritable(). */
  writeData(data: Buffer): boolean
  /** Ends a request that has a body. `trailers` are HTTP/1.1 lines, or ''. */
  endRequest(trailers: string): void
  /** Gives the exchange up. No ending is reported. */
  abandon(): void
  pauseReading(): void
  resumeReading(): void
}

/** What a pool holds: a connection that takes one exchange at a time, or many. */
export interface PooledConnection extends RosterMember {
  /** How many more exchanges it takes now; 0 when it is busy, draining or closed. */
  readonly room: number
  /** Owned by the pool: whether it is on its list of those with room. */
  isListed: boolean
  /** Owned by the pool: it is connected, but the peer has not said yet what it takes. */
  isUnsettled: boolean
  /** Begins an exchange; `room` must be over 0. */
  start(attempt: import('./attempt.ts').Attempt): void
  /** Takes nothing new; closes when what is under way is over. */
  drain(): void
  /** Closes at once. */
  close(): void
}
