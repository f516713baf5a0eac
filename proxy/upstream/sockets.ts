import type { ClusterPlan, EndpointPlan } from '../plan/plan.ts'
import type { Secrets } from '../plan/secret-plan.ts'
import { socketFor } from '../plan/socket-match.ts'
import type { UpstreamTlsPlan } from '../plan/tls-plan.ts'

/** How the hosts of a cluster are called, by its plan and the secrets of now. */
export class Sockets {
  readonly #plan: ClusterPlan
  #secrets: Secrets
  /** Of the cluster itself first, then of its matches. */
  #inForce: readonly (UpstreamTlsPlan | undefined)[]

  constructor(plan: ClusterPlan, secrets: Secrets) {
    this.#plan = plan
    this.#secrets = secrets
    this.#inForce = this.#all()
  }

  /** Of hosts that no match is for; undefined for plain text. */
  get others(): UpstreamTlsPlan | undefined {
    return this.#inForce[0]
  }

  get plans(): readonly UpstreamTlsPlan[] {
    return this.#inForce.filter((tls) => tls !== undefined)
  }

  /** Whether anything has become another, and can be used. */
  useSecrets(secrets: Secrets): boolean {
    const before = this.#inForce
    this.#secrets = secrets
    this.#inForce = this.#all()
    return this.#inForce.some((tls, i) => tls !== before[i] && tls?.context !== undefined)
  }

  of(endpoint: EndpointPlan): UpstreamTlsPlan | undefined {
    return socketFor(this.#plan, endpoint)?.of(this.#secrets)
  }

  /** Whether two endpoints are called the same way. */
  areAlike(a: EndpointPlan, b: EndpointPlan): boolean {
    return a.socketMetadata === b.socketMetadata || socketFor(this.#plan, a) === socketFor(this.#plan, b)
  }

  #all(): readonly (UpstreamTlsPlan | undefined)[] {
    const { socketMatches, tls } = this.#plan
    return [tls, ...socketMatches.map((match) => match.tls)].map((one) => one?.of(this.#secrets))
  }
}
