import type { ResponseHead } from '../stream/message.ts'
import type { PoolFailure, ResetReason } from './attempt.ts'
import type { Host } from './host.ts'

/** How a try failed without an answer: what `overflow` and `no_healthy_upstream` say is nothing about the host. */
export type LocalFailure = PoolFailure | ResetReason | 'timeout'

/** Told how tries at the hosts of a cluster end. Called on the data path: it must not throw, and should not allocate. */
export interface HostOutcomes {
  /** There is a connection for a request. */
  onConnected(host: Host): void
  /** There is a connection for bytes that are not looked at: nothing more will be heard of it. */
  onOpaqueConnected(host: Host): void
  /** The head of an answer has come. Only valid during the call. */
  onResponse(host: Host, head: ResponseHead): void
  onLocalFailure(host: Host, failure: LocalFailure): void
}

export const NO_OUTCOMES: HostOutcomes = {
  onConnected: () => {},
  onOpaqueConnected: () => {},
  onResponse: () => {},
  onLocalFailure: () => {},
}
