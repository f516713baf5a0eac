import { BlockList, isIPv6 } from 'node:net'
import type { CidrPlan, FilterChainPlan, ListenerPlan } from '../plan/plan.ts'
import type { Trace } from './trace.ts'

/** What is known of a connection when its filter chain is chosen. */
export interface ConnectionFacts {
  destinationAddress: string
  destinationPort: number
  /** `raw_buffer` or `tls`. */
  transportProtocol: string
  /** The SNI, or ''. */
  serverName: string
  applicationProtocols: readonly string[]
}

type Narrow = (chains: readonly FilterChainPlan[]) => readonly FilterChainPlan[]

/**
 * Chooses the filter chain as Envoy does: criterion after criterion in a fixed order, keeping only the most specific
 * matches of each and never going back (envoy.config.listener.v3.FilterChainMatch).
 */
export function findFilterChain(
  listener: ListenerPlan,
  facts: ConnectionFacts,
  trace?: Trace,
): FilterChainPlan | undefined {
  const steps: readonly (readonly [name: string, narrow: Narrow])[] = [
    ['destination port', (chains) => byPort(chains, facts.destinationPort)],
    ['destination address', (chains) => byAddress(chains, facts.destinationAddress)],
    ['server name', (chains) => byServerName(chains, facts.serverName)],
    ['transport protocol', (chains) => byTransport(chains, facts.transportProtocol)],
    ['application protocol', (chains) => byAlpn(chains, facts.applicationProtocols)],
  ]
  let left: readonly FilterChainPlan[] = listener.filterChains
  for (const [name, narrow] of steps) {
    const kept = narrow(left)
    if (trace !== undefined) {
      for (const chain of left)
        if (!kept.includes(chain)) trace.push(chainEntry(listener, chain, false, `does not match: ${name}`))
    }
    left = kept
  }
  const found = left[0] ?? listener.defaultFilterChain
  if (trace !== undefined && found !== undefined) {
    const reason = left.length > 0 ? 'every criterion matches' : 'the default filter chain'
    trace.push(chainEntry(listener, found, true, reason))
  }
  return found
}

function chainEntry(listener: ListenerPlan, chain: FilterChainPlan, matched: boolean, reason: string): Trace[number] {
  const name = chain.name === '' ? `#${listener.filterChains.indexOf(chain) + 1}` : chain.name
  return { candidate: `filter chain ${name} of listener ${listener.name}`, matched, reason, origin: listener.origin }
}

/** The chains that name the value when there are any, else those that name none. */
function specificOr(
  chains: readonly FilterChainPlan[],
  isSpecific: (chain: FilterChainPlan) => boolean,
  isOpen: (chain: FilterChainPlan) => boolean,
): readonly FilterChainPlan[] {
  const specific = chains.filter(isSpecific)
  return specific.length > 0 ? specific : chains.filter(isOpen)
}

function byPort(chains: readonly FilterChainPlan[], port: number): readonly FilterChainPlan[] {
  return specificOr(
    chains,
    (c) => c.match.destinationPort === port,
    (c) => c.match.destinationPort === undefined,
  )
}

function byAddress(chains: readonly FilterChainPlan[], address: string): readonly FilterChainPlan[] {
  const best = Math.max(...chains.map((chain) => longestPrefix(chain.match.prefixRanges, address)))
  if (best < 0) return chains.filter((chain) => chain.match.prefixRanges.length === 0)
  return chains.filter((chain) => longestPrefix(chain.match.prefixRanges, address) === best)
}

function longestPrefix(ranges: readonly CidrPlan[], address: string): number {
  let best = -1
  for (const range of ranges) if (range.prefixLength > best && contains(range, address)) best = range.prefixLength
  return best
}

export function contains(range: CidrPlan, address: string): boolean {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  if ((isIPv6(range.address) ? 'ipv6' : 'ipv4') !== family) return false
  const list = new BlockList()
  list.addSubnet(range.address, range.prefixLength, family)
  return list.check(address, family)
}

function byServerName(chains: readonly FilterChainPlan[], serverName: string): readonly FilterChainPlan[] {
  const name = serverName.toLowerCase()
  if (name !== '') {
    for (let candidate = name; candidate !== ''; candidate = wider(candidate)) {
      const found = chains.filter((chain) => chain.match.serverNames.includes(candidate))
      if (found.length > 0) return found
    }
  }
  return chains.filter((chain) => chain.match.serverNames.length === 0)
}

/** `a.b.c`, then `*.b.c`, then `*.c`. */
function wider(name: string): string {
  const rest = name.startsWith('*.') ? name.slice(2) : name
  const dot = rest.indexOf('.')
  return dot < 0 ? '' : `*${rest.slice(dot)}`
}

function byTransport(chains: readonly FilterChainPlan[], transport: string): readonly FilterChainPlan[] {
  return specificOr(
    chains,
    (c) => c.match.transportProtocol === transport,
    (c) => c.match.transportProtocol === '',
  )
}

function byAlpn(chains: readonly FilterChainPlan[], protocols: readonly string[]): readonly FilterChainPlan[] {
  return specificOr(
    chains,
    (c) => c.match.applicationProtocols.some((p) => protocols.includes(p)),
    (c) => c.match.applicationProtocols.length === 0,
  )
}
