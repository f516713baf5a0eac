import { isDeepStrictEqual } from 'node:util'
import type { ClusterPlan, EndpointPlan, SocketMatchPlan } from '../plan/plan.ts'
import type { BySecrets, Secrets } from '../plan/secret-plan.ts'
import type { UpstreamTlsPlan } from '../plan/tls-plan.ts'

/**
 * How the hosts of a cluster are called: by the first of its socket matches that a host's metadata meets, else as the cluster itself
 * says (envoy.config.cluster.v3.Cluster.transport_socket_matches).
 */
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
    return this.#source(endpoint)?.of(this.#secrets)
  }

  /** Whether two endpoints are called the same way. */
  areAlike(a: EndpointPlan, b: EndpointPlan): boolean {
    return a.socketMetadata === b.socketMetadata || this.#source(a) === this.#source(b)
  }

  #source(endpoint: EndpointPlan): BySecrets<UpstreamTlsPlan> | undefined {
    const { socketMatches, tls } = this.#plan
    if (socketMatches.length === 0) return tls
    const match = socketMatches.find((one) => isMet(one, endpoint))
    return match === undefined ? tls : match.tls
  }

  #all(): readonly (UpstreamTlsPlan | undefined)[] {
    const { socketMatches, tls } = this.#plan
    return [tls, ...socketMatches.map((match) => match.tls)].map((one) => one?.of(this.#secrets))
  }
}

function isMet({ criteria }: SocketMatchPlan, { socketMetadata }: EndpointPlan): boolean {
  return criteria.every(([key, wanted]) => {
    const value = socketMetadata?.[key]
    // Of a list one of its values will do, as in Envoy.
    return Array.isArray(value) ? value.some((one) => isDeepStrictEqual(one, wanted)) : isDeepStrictEqual(value, wanted)
  })
}
