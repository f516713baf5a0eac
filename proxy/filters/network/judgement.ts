import type { ConnectionFacts } from '../../decide/connection-facts.ts'
import type { AuthorizationDecision } from '../../decide/decision.ts'
import { type DynamicMetadata, metadataMatches, setMetadata } from '../../decide/metadata.ts'
import type { Trace } from '../../decide/trace.ts'
import type { PolicyPlan } from '../rbac/policy.ts'
import type { ConnectionAnswer } from './ext-authz/check.ts'
import type { NetworkExtAuthzPlan } from './ext-authz/config.ts'
import type { NetworkRbacPlan } from './rbac/config.ts'
import { judgeByRules } from './rbac/filter.ts'

/** The network filters that say who may connect. */
export type NetworkAuthorizationPlan = NetworkRbacPlan | NetworkExtAuthzPlan

const EXT_AUTHZ = 'envoy.filters.network.ext_authz'

/**
 * Whether a connection may be served: all filters of its chain in their order, up to one that denies. Pure, as decide(): where a
 * server must be asked it stops with `asks`, and goes on there with resume(). The connection is judged before anything is done for
 * it; Envoy waits for its first byte.
 */
export class ConnectionJudgement implements AuthorizationDecision {
  verdict: AuthorizationDecision['verdict'] = 'none'
  policy: PolicyPlan | undefined
  /** Whose answer is needed before there is a verdict. */
  asks: NetworkExtAuthzPlan | undefined
  /** What filters have found out for those after them. */
  metadata: DynamicMetadata | undefined
  readonly facts: ConnectionFacts
  readonly #filters: readonly NetworkAuthorizationPlan[]
  readonly #count: (name: string) => void
  readonly #trace: Trace | undefined
  #next = 0

  /** `count` hears the counters. */
  constructor(
    filters: readonly NetworkAuthorizationPlan[],
    facts: ConnectionFacts,
    count: (name: string) => void,
    trace?: Trace,
  ) {
    this.#filters = filters
    this.facts = facts
    this.#count = count
    this.#trace = trace
    this.#judge()
  }

  resume({ result, metadata }: ConnectionAnswer): void {
    const { asks } = this
    if (asks === undefined) return
    this.asks = undefined
    const { statPrefix, failureModeAllow } = asks
    this.#count(`${statPrefix}${result}`)
    if (metadata !== undefined) setMetadata(this, EXT_AUTHZ, metadata)
    if (result === 'denied' || (result === 'error' && !failureModeAllow)) {
      this.#count(`${statPrefix}cx_closed`)
      this.verdict = 'deny'
      this.policy = undefined
      return
    }
    if (result === 'error') this.#count(`${statPrefix}failure_mode_allowed`)
    this.#judge()
  }

  #judge(): void {
    while (this.#next < this.#filters.length) {
      const filter = this.#filters[this.#next++] as NetworkAuthorizationPlan
      if (filter.kind === 'rbac') {
        if (!judgeByRules(filter, this, this.#count, this.#trace)) return
        continue
      }
      const { enabledBy, statPrefix } = filter
      if (enabledBy !== undefined && !metadataMatches(enabledBy, this)) {
        this.#count(`${statPrefix}disabled`)
        continue
      }
      this.#count(`${statPrefix}total`)
      this.asks = filter
      return
    }
  }
}
