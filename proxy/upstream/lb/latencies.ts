import type { ResponseHead } from '../../stream/message.ts'
import type { Host } from '../host.ts'

/** Told how long tries take by whoever makes them. `startedMs` is what nowMs() said at the beginning. */
export interface Latencies {
  nowMs(): number
  /** The head of an answer has come. Only valid during the call. */
  onResponse(host: Host, head: ResponseHead, startedMs: number): void
  /** It failed without an answer, or took too long. */
  onFailure(host: Host, startedMs: number): void
  /** Nobody waited for the answer any longer. */
  onAbandoned(host: Host, startedMs: number): void
}
