import type { Socket } from 'node:net'

/**
 * What a check found. `retriable`: the host answered that it is not well, in a way that is believed only when it says so
 * often; `network`: it could not be asked.
 */
export type ProbeResult = 'healthy' | 'degraded' | 'unhealthy' | 'retriable' | 'network'

/** What a probe needs to know of the host that it asks. */
export interface ProbeTarget {
  /** A new connection, which may still have to come about. */
  connect(alpnProtocols?: readonly string[]): Socket
  /** What it is asked as. */
  readonly authority: string
  readonly isTls: boolean
  readonly reusesConnection: boolean
  readonly timeoutMs: number
}

export interface ProbeOwner {
  /** A check is over. May come without one: a connection that was kept has closed. */
  onResult(result: ProbeResult): void
  /** The answer says that the host fails, whatever its status is. */
  onImmediateFailure(): void
  /** The answer's name of a service was compared. */
  onNameCompared(): void
}

/** How a host is asked. One question at a time. */
export interface Probe {
  /** Asks; the answer goes to the owner. */
  ask(): void
  /** The answer is no longer waited for: its connection is closed. */
  giveUp(): void
  close(): void
}

export const IMMEDIATE_FAILURE = 'x-envoy-immediate-health-check-fail'
export const DEGRADED = 'x-envoy-degraded'
export const CHECKED_CLUSTER = 'x-envoy-upstream-healthchecked-cluster'
export const USER_AGENT = 'Envoy/HC'
