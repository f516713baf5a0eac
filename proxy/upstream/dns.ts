import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Clock, Timer } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { EndpointPlan } from '../plan/plan.ts'
import type { Cluster } from './cluster.ts'

/** Resolves a name to addresses; throws when it cannot. */
export type Resolve = (hostname: string) => Promise<string[]>

const systemResolve: Resolve = async (hostname) => (await lookup(hostname, { all: true })).map((found) => found.address)

/**
 * Keeps the hosts of STRICT_DNS and LOGICAL_DNS clusters up to date: every address of a name is a host, or only the
 * first one. When resolving fails the hosts that are known stay.
 */
export class DnsRefresher {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #resolve: Resolve
  readonly #timers = new Map<Cluster, Timer>()

  constructor(clock: Clock, log: Logger, resolve: Resolve = systemResolve) {
    this.#clock = clock
    this.#log = log
    this.#resolve = resolve
  }

  start(cluster: Cluster): void {
    this.stop(cluster)
    void this.#refresh(cluster)
  }

  stop(cluster: Cluster): void {
    this.#timers.get(cluster)?.cancel()
    this.#timers.delete(cluster)
  }

  async #refresh(cluster: Cluster): Promise<void> {
    const { plan } = cluster
    try {
      const groups = await Promise.all(plan.endpoints.map((endpoint) => this.#expand(endpoint, plan.discovery)))
      if (cluster.isRemoved || cluster.plan !== plan) return
      const endpoints = groups.flat()
      if (endpoints.length > 0 || plan.endpoints.length === 0) cluster.setEndpointsOnce(endpoints)
    } catch (thrown) {
      this.#log.warning('cannot resolve', { cluster: plan.name, error: errorText(thrown) })
    }
    if (!cluster.isRemoved) {
      this.#timers.set(
        cluster,
        this.#clock.setTimer(plan.dnsRefreshMs, () => void this.#refresh(cluster)),
      )
    }
  }

  async #expand(endpoint: EndpointPlan, discovery: string): Promise<EndpointPlan[]> {
    if (endpoint.unixPath !== '' || isIP(endpoint.address) !== 0) return [endpoint]
    const addresses = (await this.#resolve(endpoint.address)).sort()
    const used = discovery === 'logical_dns' ? addresses.slice(0, 1) : addresses
    return used.map((address) => ({ ...endpoint, address, hostname: endpoint.hostname || endpoint.address }))
  }
}
