import { type ConnectionFacts, connectionFacts } from '../../../proxy/decide/connection-facts.ts'
import { parseRequestHead } from '../../../proxy/http1/request-parser.ts'
import type { Downstream } from '../../../proxy/stream/downstream.ts'
import { Exchange } from '../../../proxy/stream/exchange.ts'
import { RequestHead } from '../../../proxy/stream/message.ts'
import type { SimulatedProxy } from './proxy.ts'
import type { CallTarget } from './target.ts'

/** Who has made a call. */
export interface CallOwner {
  /** The call is over. `flag` is the proxy's own word for it, '' for an answer of the service; `status` 0 when the connection broke. */
  onCallEnd(status: number, flag: string): void
}

/** A connection from an application to its sidecar: one call at a time. */
export class SimulatedDownstream implements Downstream {
  readonly head = new RequestHead()
  readonly facts: ConnectionFacts
  readonly target: CallTarget
  readonly #proxy: SimulatedProxy
  readonly #exchange: Exchange
  #owner: CallOwner | undefined
  #status = 0

  constructor(proxy: SimulatedProxy, target: CallTarget) {
    this.#proxy = proxy
    this.target = target
    this.facts = connectionFacts({
      destinationAddress: target.address,
      destinationPort: target.port,
      isRestored: true,
      directSourceAddress: proxy.address,
      sourceAddress: proxy.address,
      sourcePort: 40_000,
      applicationProtocols: ['http/1.1'],
    })
    this.#exchange = new Exchange(proxy, this)
  }

  begin(owner: CallOwner): void {
    const { head, target } = this
    this.#owner = owner
    this.#status = 0
    const entry = this.#proxy.group.entryOf(this)
    if (entry === undefined) {
      this.#end(0, 'NR')
      return
    }
    parseRequestHead(target.bytes, 0, target.bytes.length - 4, head)
    this.#exchange.begin(entry.manager, entry.stats)
  }

  /** The application has enough of waiting, and is not told how the call ends. False when it has ended already. */
  giveUp(): boolean {
    if (this.#owner === undefined) return false
    this.#owner = undefined
    this.#exchange.onDownstreamClosed()
    this.#proxy.giveBack(this)
    return true
  }

  // === what the exchange asks ===

  writeHead(status: number): void {
    this.#status = status
  }

  writeData(): boolean {
    return true
  }

  endResponse(): void {
    this.#end(this.#status, this.#exchange.responseFlag)
  }

  destroy(): void {
    if (this.#exchange.isActive) this.#exchange.onDownstreamClosed()
    this.#end(0, 'DC')
  }

  #end(status: number, flag: string): void {
    const owner = this.#owner
    if (owner === undefined) return
    this.#owner = undefined
    // The exchange is still at work: whoever calls again from here must not find it free.
    this.#proxy.clock.setTimer(0, () => {
      this.#proxy.giveBack(this)
      owner.onCallEnd(status, flag)
    })
  }

  flush(): void {}
  writeContinue(): void {}
  pauseReading(): void {}
  resumeReading(): void {}
  becomeTunnel(): void {}
}
