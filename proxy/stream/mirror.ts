import type { Decision } from '../decide/decision.ts'
import { hostWithoutPort } from '../decide/fields.ts'
import type { MirrorPlan } from '../plan/plan.ts'
import type { RequestTarget } from '../upstream/upstream-stream.ts'
import type { StreamContext } from './context.ts'
import { FRAMING, type RequestHead } from './message.ts'
import type { RequestBuffer } from './request-buffer.ts'
import { type TryOwner, UpstreamTry } from './upstream-try.ts'

/** A mirrored answer that is longer than this is cut off: it may cost bandwidth, never memory. */
const MAX_MIRROR_RESPONSE_BYTES = 1024 * 1024

/**
 * Sends a copy of the request and forgets it: the answer is read and dropped, failures are not reported. A request
 * whose body is too large to keep is not mirrored.
 */
export function sendMirror(
  mirror: MirrorPlan,
  head: RequestHead,
  decision: Decision,
  buffer: RequestBuffer,
  context: StreamContext,
): void {
  const cluster = context.cluster(mirror.cluster)
  const host = cluster?.pickHost()
  if (cluster === undefined || host === undefined || head.upgrade !== '' || head.method === 'CONNECT') return
  if (buffer.hasOverflowed) {
    cluster.stats.retry_or_shadow_abandoned.inc()
    return
  }
  const { path, authority } = decision
  const target = { path, authority: mirror.shadowSuffix ? shadowed(authority) : authority, attemptCount: 0 }
  // The request may be over before the mirror's connection is there.
  const copy = head.copy()
  if (mirror.shadowSuffix) copy.dropHost()
  const owner = new MirrorOwner(copy, target, buffer.pieces(), buffer.trailers)
  owner.attempt = new UpstreamTry(owner, cluster, host, head, target.authority)
  cluster.send(host, owner.attempt)
}

/** Envoy marks the copy in its authority, before a port. */
function shadowed(authority: string): string {
  const host = hostWithoutPort(authority)
  return `${host}-shadow${authority.slice(host.length)}`
}

class MirrorOwner implements TryOwner {
  readonly #head: RequestHead
  readonly #target: RequestTarget
  readonly #chunks: readonly Buffer[]
  readonly #trailers: string
  #received = 0
  attempt: UpstreamTry | undefined

  constructor(head: RequestHead, target: RequestTarget, chunks: readonly Buffer[], trailers: string) {
    this.#head = head
    this.#target = target
    this.#chunks = chunks
    this.#trailers = trailers
  }

  onTryStream(attempt: UpstreamTry): void {
    const hasBody = this.#head.framing !== FRAMING.none
    attempt.writeHead(this.#head, this.#target, hasBody, this.#chunks)
    if (hasBody) attempt.stream?.endRequest(this.#trailers)
  }

  onTryData(data: Buffer): void {
    this.#received += data.length
    if (this.#received > MAX_MIRROR_RESPONSE_BYTES) this.attempt?.abandon()
  }

  onTryHead(): void {}
  onTryTrailers(): void {}
  onTryReadPause(): void {}
  onTryEnd(): void {}
  onTryFailure(): void {}
  onTryWritable(): void {}
}
