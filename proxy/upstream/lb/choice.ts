import type { Hash64 } from '../../../lib/xxhash64.ts'
import type { SubsetCriteria } from '../../plan/subset-criteria.ts'
import type { Host } from '../host.ts'
import type { RetryPriority } from '../host-sets/retry-priority.ts'

/** What the choice of a host may depend on, beside the hosts. Only valid during the call. */
export interface HostChoice {
  /** Of what the route's hash policies found in the request; undefined where they found nothing, or there are none. */
  readonly hash: Hash64 | undefined
  /** Hosts that were tried: they are passed over while draws are left, so that a retry goes elsewhere when it can. */
  readonly avoid: readonly Host[] | undefined
  /** How often another host may be drawn in the place of one to avoid. */
  readonly draws: number
  /** The subset of the hosts that is asked for. */
  readonly criteria?: SubsetCriteria | undefined
  /** Which priorities a retry turns to; undefined as for any request. */
  readonly retryPriority?: RetryPriority | undefined
}

/** Whoever asks for nothing in particular. */
export const ANY_HOST: HostChoice = {
  hash: undefined,
  avoid: undefined,
  draws: 0,
  criteria: undefined,
  retryPriority: undefined,
}
