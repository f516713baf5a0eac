import { isWildcard } from '../../../config/hosts.ts'
import { type GatewayServer, hostNames, isAutoPassthrough } from '../../mesh/gateway.ts'
import type { ServedNames } from './plan.ts'

/**
 * Whose each name is among all servers of a port that clients choose by SNI. HTTP/2 clients send requests for other names over a
 * connection whose certificate holds for them too (RFC 9113 section 9.1.1). Those must not be answered by the wrong server: its
 * certificate, versions and demands on clients are others. 421 has the client ask again on a connection of its own.
 */
export class ServerNames {
  /** Each name is one server's: where servers were put together, later ones with the same host were left out. */
  readonly #servers = new Map<string, GatewayServer>()
  /** For each wildcard that a server has, the names of servers that lie within it. */
  readonly #within = new Map<string, string[]>()

  constructor(servers: readonly GatewayServer[]) {
    // Names of clusters are asked for by sidecars only, and stand beside those of hosts.
    for (const server of servers.filter((one) => !isAutoPassthrough(one))) {
      for (const name of hostNames(server)) if (!this.#servers.has(name)) this.#servers.set(name, server)
    }
    for (const name of this.#servers.keys()) {
      for (const wildcard of wildcardsOf(name)) {
        if (!this.#servers.has(wildcard)) continue
        const names = this.#within.get(wildcard)
        if (names === undefined) this.#within.set(wildcard, [name])
        else names.push(name)
      }
    }
  }

  /** Whether a client that asks for this name by SNI comes to this server: the most specific of all names that hold it decides. */
  isOwn(name: string, server: GatewayServer): boolean {
    const holding = [name, ...wildcardsOf(name)].find((one) => this.#servers.has(one))
    return holding !== undefined && this.#servers.get(holding) === server
  }

  /** What is left of all names when those of `taken` have virtual hosts at the server. */
  left(server: GatewayServer, taken: readonly string[]): ServedNames {
    const own = hostNames(server)
    const others = own.flatMap((name) => this.#within.get(name) ?? [])
    const misdirected = others.filter((name) => this.#servers.get(name) !== server)
    if (!own.includes('*')) misdirected.push('*')
    const skipped = new Set(taken)
    return { unbound: [...new Set(own)].filter((name) => !skipped.has(name)), misdirected: [...new Set(misdirected)] }
  }
}

/** The wildcards that hold a name, the most specific first; a wildcard is not held by itself. */
function wildcardsOf(name: string): string[] {
  if (name === '*') return []
  const labels = (isWildcard(name) ? name.slice(2) : name).split('.')
  return [...labels.slice(1).map((_label, i) => `*.${labels.slice(i + 1).join('.')}`), '*']
}
