import type { Attempt, PoolFailure, ResetReason } from '../upstream/attempt.ts'
import { PRIORITY, type Priority } from '../upstream/circuit-breaker.ts'
import type { Cluster } from '../upstream/cluster.ts'
import type { ConnectionPool } from '../upstream/connection-pool.ts'
import type { Host } from '../upstream/host.ts'
import type { Latencies } from '../upstream/lb/latencies.ts'
import type { RequestTarget, UpstreamStream } from '../upstream/upstream-stream.ts'
import { FRAMING, type RequestHead, type ResponseHead } from './message.ts'

/** A response that is thrown away for a retry is read to its end when it is at most this long, to keep the connection. */
const MAX_DISCARDED_BYTES = 64 * 1024

/** What a try tells the exchange it belongs to. */
export interface TryOwner {
  onTryStream(attempt: UpstreamTry): void
  onTryHead(attempt: UpstreamTry, head: ResponseHead): void
  onTryData(data: Buffer, isStable: boolean): void
  onTryTrailers(lines: string): void
  onTryReadPause(): void
  onTryEnd(): void
  onTryFailure(attempt: UpstreamTry, failure: PoolFailure | ResetReason, detail: string): void
  onTryWritable(): void
}

/**
 * One try of an exchange: a host, a connection to it, and the request being written there. One that has ended with its answer
 * (`isOver`) nobody else knows any more, so its owner may begin it again.
 */
export class UpstreamTry implements Attempt {
  cluster!: Cluster
  host!: Host
  method = ''
  authority = ''
  isHttp2 = false
  isRaw = false
  priority: Priority = PRIORITY.default
  waitsIn: ConnectionPool | undefined
  readonly #owner: TryOwner
  stream: UpstreamStream | undefined
  /** The head has been handed to the connection. */
  requestWasSent = false
  /** Told once how long this took. */
  #latencies: Latencies | undefined
  #startedMs = 0
  /** The answer came to its end. In a tunnel the other half may go on: until the exchange is over too, it is not free. */
  isOver = false
  #isDiscarding = false
  #discardedBytes = 0

  constructor(owner: TryOwner) {
    this.#owner = owner
  }

  /**
   * What it tries: once, and again when it is over and has no stream any more. References are mostly there already, and to store one costs
   * more than to see that.
   */
  begin(
    cluster: Cluster,
    host: Host,
    head: RequestHead,
    authority: string,
    isRaw = false,
    priority: Priority = PRIORITY.default,
  ): void {
    if (this.cluster !== cluster) this.cluster = cluster
    if (this.host !== host) this.host = host
    this.method = head.method
    this.authority = authority
    this.isHttp2 = head.isHttp2
    this.isRaw = isRaw
    this.priority = priority
    this.requestWasSent = false
    this.#latencies = cluster.latencies
    this.#startedMs = this.#latencies?.nowMs() ?? 0
    this.isOver = false
  }

  // --- towards the upstream ---

  /** Hands a head to the connection, with as much of the body as there is already. */
  writeHead(head: RequestHead, target: RequestTarget, hasBody: boolean, chunks: readonly Buffer[]): void {
    this.requestWasSent = true
    this.stream?.writeHead(head, target, hasBody)
    for (const chunk of chunks) this.stream?.writeData(chunk)
  }

  /** It took longer than the policy allows. */
  noteTimeout(): void {
    this.cluster.outcomes.onLocalFailure(this.host, 'timeout')
    this.#settle()?.onFailure(this.host, this.#startedMs)
  }

  /** Gives the try up, whatever it is doing. The owner hears nothing more. */
  abandon(): void {
    this.#isDiscarding = true
    this.#settle()?.onAbandoned(this.host, this.#startedMs)
    if (this.stream === undefined) this.cluster.cancel(this.host, this)
    else this.stream.abandon()
  }

  /** The response is not wanted: read it away if it is short, so that the connection can be used again. */
  discard(head: ResponseHead): void {
    this.#isDiscarding = true
    const isShort =
      head.framing === FRAMING.none || (head.framing === FRAMING.length && head.contentLength <= MAX_DISCARDED_BYTES)
    if (!isShort && head.framing !== FRAMING.chunked) this.stream?.abandon()
  }

  #settle(): Latencies | undefined {
    const latencies = this.#latencies
    this.#latencies = undefined
    return latencies
  }

  // --- Attempt ---

  onStream(stream: UpstreamStream): void {
    this.stream = stream
    this.cluster.outcomes.onConnected(this.host)
    this.#owner.onTryStream(this)
  }

  onPoolFailure(reason: PoolFailure, detail: string): void {
    if (this.#isDiscarding) return
    this.cluster.outcomes.onLocalFailure(this.host, reason)
    if (reason.startsWith('connect_')) this.#settle()?.onFailure(this.host, this.#startedMs)
    this.#owner.onTryFailure(this, reason, detail)
  }

  onResponseHead(head: ResponseHead): void {
    if (this.#isDiscarding) return
    this.cluster.outcomes.onResponse(this.host, head)
    this.#settle()?.onResponse(this.host, head, this.#startedMs)
    this.#owner.onTryHead(this, head)
  }

  onResponseData(data: Buffer, isStable: boolean): void {
    if (!this.#isDiscarding) this.#owner.onTryData(data, isStable)
    else {
      this.#discardedBytes += data.length
      if (this.#discardedBytes > MAX_DISCARDED_BYTES) this.stream?.abandon()
    }
  }

  onResponseTrailers(lines: string): void {
    if (!this.#isDiscarding) this.#owner.onTryTrailers(lines)
  }

  onReadPause(): void {
    if (!this.#isDiscarding) this.#owner.onTryReadPause()
  }

  onResponseEnd(): void {
    if (this.#isDiscarding) return
    this.isOver = true
    this.#owner.onTryEnd()
  }

  onReset(reason: ResetReason, detail: string): void {
    if (this.#isDiscarding) return
    this.cluster.outcomes.onLocalFailure(this.host, reason)
    this.#settle()?.onFailure(this.host, this.#startedMs)
    this.#owner.onTryFailure(this, reason, detail)
  }

  onWritable(): void {
    if (!this.#isDiscarding) this.#owner.onTryWritable()
  }
}
