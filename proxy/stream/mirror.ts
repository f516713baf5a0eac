import type { Decision } from '../decide/decision.ts'
import type { MirrorPlan } from '../plan/plan.ts'
import type { StreamContext } from './context.ts'
import type { RequestHead } from './message.ts'
import { AT_ONCE } from './out-buffer.ts'
import type { RequestBuffer } from './request-buffer.ts'
import { writeRequestHead } from './request-text.ts'
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
  if (cluster === undefined || host === undefined || head.upgrade !== '') return
  if (buffer.hasOverflowed) {
    cluster.stats.retry_or_shadow_abandoned.inc()
    return
  }
  const owner = new MirrorOwner(mirrorHead(mirror, head, decision, context), [...buffer.chunks], buffer.trailers)
  owner.attempt = new UpstreamTry(owner, cluster, host, head.method, head.framing)
  cluster.send(host, owner.attempt)
}

/** The head as bytes of their own: the request may be over before the mirror's connection is there. */
function mirrorHead(mirror: MirrorPlan, head: RequestHead, decision: Decision, context: StreamContext): Buffer {
  const { out } = context
  out.claim(AT_ONCE)
  writeRequestHead(out, head, decision.path, decision.authority, 0)
  const bytes = out.take()
  if (!mirror.shadowSuffix) return bytes
  // Envoy marks the copy in its authority, before a port.
  const marked = bytes.toString('latin1').replace(/^(host:\s*)([^\r:]*)(:\d+)?/im, '$1$2-shadow$3')
  return Buffer.from(marked, 'latin1')
}

class MirrorOwner implements TryOwner {
  readonly #head: Buffer
  readonly #chunks: readonly Buffer[]
  readonly #trailers: string
  #received = 0
  attempt: UpstreamTry | undefined

  constructor(head: Buffer, chunks: readonly Buffer[], trailers: string) {
    this.#head = head
    this.#chunks = chunks
    this.#trailers = trailers
  }

  onTryConnection(attempt: UpstreamTry): void {
    attempt.connection?.write(this.#head)
    for (const chunk of this.#chunks) attempt.writeData(chunk)
    attempt.end(this.#trailers)
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
