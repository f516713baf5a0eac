import { hostWithin, isWildcard } from '../../../config/hosts.ts'
import { type GatewayPort, type GatewayServer, hostNames, isAutoPassthrough } from '../../mesh/gateway.ts'
import type { ServedNames } from './plan.ts'

/**
 * Which names are a server's own among all servers of its port that clients choose by SNI. HTTP/2 clients send requests for other names
 * over a connection whose certificate holds for them too (RFC 9113 section 9.1.1). Those must not be answered by the wrong server:
 * its certificate, versions and demands on clients are others. 421 has the client ask again on a connection of its own.
 */

/** Whether a client that asks for this name by SNI comes to this server: the most specific of all names that hold it decides. */
export function isOwn(name: string, server: GatewayServer, port: GatewayPort): boolean {
  const own = longestWithin(name, hostNames(server))
  return own >= 0 && own >= longestWithin(name, otherNames(server, port))
}

/** What is left of all names when `taken` have virtual hosts. */
export function servedNames(server: GatewayServer, port: GatewayPort, taken: readonly string[]): ServedNames {
  const own = hostNames(server)
  const isFree = (name: string) => !taken.includes(name)
  const others = otherNames(server, port).filter((name) => own.some((host) => hostWithin(name, host)))
  const misdirected = own.includes('*') ? others : [...others, '*']
  const unbound = own.filter(isFree)
  return { unbound: distinct(unbound), misdirected: distinct(misdirected.filter(isFree)) }
}

/** Names of clusters are asked for by sidecars only, and stand beside those of hosts. */
function otherNames(server: GatewayServer, { servers }: GatewayPort): readonly string[] {
  return servers.filter((other) => other !== server && !isAutoPassthrough(other)).flatMap(hostNames)
}

/** How specific the most specific of `hosts` is that holds the name: -1 for none, and an exact one before every wildcard. */
function longestWithin(name: string, hosts: readonly string[]): number {
  const lengths = hosts.filter((host) => hostWithin(name, host)).map((host) => (isWildcard(host) ? host.length : 1000))
  return Math.max(-1, ...lengths)
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)]
}
