import type { VirtualHostPlan } from './virtual-host.ts'

/** A route table before its virtual hosts are made. */
export interface RoutePlan {
  readonly name: string
  readonly virtualHosts: readonly VirtualHostPlan[]
  readonly otherwise: Otherwise
  /** Whether the port of a Host header is not looked at. */
  readonly ignorePort: boolean
}

/**
 * What answers besides the virtual hosts: of a sidecar, for the hosts that it does not know; of a gateway, for every
 * host, when there is no virtual host at all; of a gateway's server that ends TLS, for its hosts that no VirtualService serves, and
 * for those that are not its own.
 */
export type Otherwise =
  | { readonly kind: 'unknownHosts'; readonly policy: 'ALLOW_ANY' | 'REGISTRY_ONLY' }
  | { readonly kind: 'nobodyBound'; readonly port: number }
  | ({ readonly kind: 'otherServers'; readonly port: number } & ServedNames)

/** Domains that no VirtualService answers for at a server that clients have chosen by SNI. */
export interface ServedNames {
  /** The server's own: there is nothing there. */
  readonly unbound: readonly string[]
  /** Those that clients reach by asking for another name: they are told to. */
  readonly misdirected: readonly string[]
}

/** No two virtual hosts of a table may have a domain in common: the first keeps it. */
export function claimDomains(domains: readonly string[], taken: Set<string>): string[] {
  return domains.filter((domain) => {
    const key = domain.toLowerCase()
    return taken.has(key) ? false : taken.add(key)
  })
}
