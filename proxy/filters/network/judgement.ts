import type { ConnectionFacts } from '../../decide/connection-facts.ts'
import type { AuthorizationDecision } from '../../decide/decision.ts'
import { type DynamicMetadata, metadataMatches, setMetadata } from '../../decide/metadata.ts'
import { SYMBOLIC_SURROUNDINGS } from '../../decide/surroundings.ts'
import type { Trace } from '../../decide/trace.ts'
import type { TokenSource } from '../../limits/token-bucket.ts'
import type { PolicyPlan } from '../rbac/policy.ts'
import type { ConnectionAnswer } from './ext-authz/check.ts'
import type { NetworkExtAuthzPlan } from './ext-authz/config.ts'
import type { ConnectionRateLimitPlan } from './local-ratelimit/config.ts'
import { letsConnect } from './local-ratelimit/filter.ts'
import type { NetworkRbacPlan } from './rbac/config.ts'
import { judgeByRules } from './rbac/filter.ts'

/** The network filters that say who may connect. */
export type NetworkAuthorizationPlan = NetworkRbacPlan | NetworkExtAuthzPlan | ConnectionRateLimitPlan

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
  readonly #tokens: TokenSource
  readonly #trace: Trace | undefined
  #next = 0

  /** `count` hears the counters; `tokens` are those of rate limits, of which by default none are taken. */
  constructor(
    filters: readonly NetworkAuthorizationPlan[],
    facts: ConnectionFacts,
    count: (name: string) => void,
    trace?: Trace,
    tokens: TokenSource = SYMBOLIC_SURROUNDINGS.tokens,
  ) {
    this.#filters = filters
    this.facts = facts
    this.#count = count
    this.#tokens = tokens
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
      if (filter.kind === 'local_ratelimit') {
        if (letsConnect(filter, this.#tokens, this.#count, this.#trace)) continue
        this.verdict = 'deny'
        this.policy = undefined
        return
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
