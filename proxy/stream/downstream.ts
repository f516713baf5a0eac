import type { ConnectionFacts } from '../decide/connection-facts.ts'
import type { HeaderBlock } from './header-block.ts'
import type { Framing, RequestHead } from './message.ts'

/** What an exchange asks of the connection that its request came on, whatever the protocol. */
export interface Downstream {
  readonly head: RequestHead
  readonly facts: ConnectionFacts
  /**
   * Starts the response. `hasStartLine` says that `fields` came with a status line that can be passed on as it is. What
   * is written may be held until flush().
   */
  writeHead(status: number, fields: HeaderBlock, hasStartLine: boolean, framing: Framing): void
  /**
   * A piece of the body, only lent: for the call, or, when `isStable`, until Exchange.onDownstreamWritable(). False asks to wait
   * for that.
   */
  writeData(data: Buffer, isStable: boolean): boolean
  /** Ends the response; the exchange is over. */
  endResponse(trailers: string): void
  flush(): void
  /** Answers `Expect: 100-continue`. */
  writeContinue(): void
  pauseReading(): void
  resumeReading(): void
  /** Breaks off: the response cannot be completed. */
  destroy(): void
  /**
   * After the head of an accepted upgrade or CONNECT: bytes pass as they come, both ways, as data of the request and of the
   * response; endResponse() ends our half only.
   */
  becomeTunnel(): void
}
