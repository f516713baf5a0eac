import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts'
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
 * Sends a copy of the request and forgets it: the answer is read and dropped, failures are not reported, and the route's
 * time-out bounds it as it does the request. A request whose body is too large to keep is not mirrored.
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
  const target = {
    path,
    authority: mirror.shadowSuffix ? shadowed(authority) : authority,
    attemptCount: 0,
    preface: undefined,
  }
  // The request may be over before the mirror's connection is there.
  const copy = head.copy()
  if (mirror.shadowSuffix) copy.dropHost()
  const owner = new MirrorOwner(copy, target, buffer.pieces(), buffer.trailers, context)
  owner.attempt = new UpstreamTry(owner)
  owner.attempt.begin(cluster, host, head, target.authority)
  owner.armTimeout(decision.timeoutMs)
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
  readonly #wheel: TimerWheel
  readonly #timer: WheelTimer
  #received = 0
  attempt: UpstreamTry | undefined

  constructor(
    head: RequestHead,
    target: RequestTarget,
    chunks: readonly Buffer[],
    trailers: string,
    { wheel, bugs }: StreamContext,
  ) {
    this.#head = head
    this.#target = target
    this.#chunks = chunks
    this.#trailers = trailers
    this.#wheel = wheel
    const onTimer = bugs.guard(
      'mirror',
      () => this.#onTimeout(),
      () => {},
    )
    this.#timer = new WheelTimer(onTimer)
  }

  armTimeout(timeoutMs: number): void {
    if (timeoutMs > 0) this.#wheel.arm(this.#timer, timeoutMs)
  }

  #onTimeout(): void {
    this.attempt?.cluster.stats.upstream_rq_timeout.inc()
    this.attempt?.abandon()
  }

  onTryStream(attempt: UpstreamTry): void {
    const hasBody = this.#head.framing !== FRAMING.none
    attempt.writeHead(this.#head, this.#target, hasBody, this.#chunks)
    if (hasBody) attempt.stream?.endRequest(this.#trailers)
  }

  onTryData(data: Buffer): void {
    this.#received += data.length
    if (this.#received <= MAX_MIRROR_RESPONSE_BYTES) return
    this.#wheel.disarm(this.#timer)
    this.attempt?.abandon()
  }

  onTryEnd(): void {
    this.#wheel.disarm(this.#timer)
  }

  onTryFailure(): void {
    this.#wheel.disarm(this.#timer)
  }

  onTryHead(): void {}
  onTryTrailers(): void {}
  onTryReadPause(): void {}
  onTryWritable(): void {}
}
