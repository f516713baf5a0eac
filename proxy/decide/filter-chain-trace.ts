import { isIPv4 } from 'node:net'
import { PrefixTable } from '../../lib/prefix-table.ts'
import type { CidrPlan, FilterChainMatchPlan, FilterChainPlan, ListenerPlan } from '../plan/plan.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import { isLocalSource } from './filter-chain.ts'
import type { Trace } from './trace.ts'

/**
 * How well a chain meets a criterion: 0 when it names no value for it, more the more specific the value that it names
 * and that is met, and MISSED when it names others.
 */
type Score = (match: FilterChainMatchPlan, facts: ConnectionFacts) => number

const MISSED = -1

const CRITERIA: readonly (readonly [name: string, score: Score])[] = [
  ['destination port', (m, f) => (m.destinationPort === undefined ? 0 : met(m.destinationPort === f.destinationPort))],
  ['destination address', (m, f) => scorePrefixes(m.prefixRanges, f.destinationAddress)],
  ['server name', (m, f) => scoreNames(m.serverNames, f.serverName)],
  ['transport protocol', (m, f) => (m.transportProtocol === '' ? 0 : met(m.transportProtocol === f.transportProtocol))],
  ['application protocol', (m, f) => scoreProtocols(m.applicationProtocols, f.applicationProtocols)],
  ['direct source address', (m, f) => scorePrefixes(m.directSourcePrefixRanges, f.directSourceAddress)],
  [
    'source type',
    (m, f) => (m.sourceType === 'any' ? 0 : met(m.sourceType === (isLocalSource(f) ? 'local' : 'external'))),
  ],
  ['source address', (m, f) => scorePrefixes(m.sourcePrefixRanges, f.sourceAddress)],
  ['source port', (m, f) => (m.sourcePorts.length === 0 ? 0 : met(m.sourcePorts.includes(f.sourcePort)))],
]

/** Writes down which criterion refused each chain, and how the one was found that `findFilterChain` chose. */
export function traceFilterChain(
  listener: ListenerPlan,
  facts: ConnectionFacts,
  found: FilterChainPlan | undefined,
  trace: Trace,
): void {
  const left = narrow(listener.filterChains, facts, (chain, criterion) =>
    trace.push(entryOf(listener, chain, false, `does not match: ${criterion}`)),
  )
  if (found === undefined) return
  const reason = left.length > 0 ? 'every criterion matches' : 'the default filter chain'
  trace.push(entryOf(listener, found, true, reason))
}

/** The chains that are left when every criterion has kept its most specific matches: one, or none. */
export function narrow(
  chains: readonly FilterChainPlan[],
  facts: ConnectionFacts,
  onRefused: (chain: FilterChainPlan, criterion: string) => void,
): readonly FilterChainPlan[] {
  let left = chains
  for (const [criterion, score] of CRITERIA) {
    const scores = left.map((chain) => score(chain.match, facts))
    const best = Math.max(0, ...scores)
    for (const [i, chain] of left.entries()) if (scores[i] !== best) onRefused(chain, criterion)
    left = left.filter((_, i) => scores[i] === best)
  }
  return left
}

function met(isMet: boolean): number {
  return isMet ? 1 : MISSED
}

function scorePrefixes(ranges: readonly CidrPlan[], address: string): number {
  if (ranges.length === 0) return 0
  let best = MISSED
  for (const range of ranges) {
    if (contains(range, address)) best = Math.max(best, Math.min(range.prefixLength, isIPv4(address) ? 32 : 128) + 1)
  }
  return best
}

function contains(range: CidrPlan, address: string): boolean {
  const table = new PrefixTable<true>()
  table.at(range.address, range.prefixLength, () => true)
  return table.find(address) === true
}

function scoreNames(names: readonly string[], serverName: string): number {
  if (names.length === 0) return 0
  let best = MISSED
  for (const name of names) {
    if (serverName !== '' && name === serverName) return Number.MAX_SAFE_INTEGER
    if (name.startsWith('*.') && serverName.endsWith(name.slice(1))) best = Math.max(best, name.length)
  }
  return best
}

function scoreProtocols(protocols: readonly string[], offered: readonly string[]): number {
  if (protocols.length === 0) return 0
  const first = offered.findIndex((protocol) => protocols.includes(protocol))
  return first < 0 ? MISSED : offered.length - first
}

function entryOf(listener: ListenerPlan, chain: FilterChainPlan, matched: boolean, reason: string): Trace[number] {
  const name = chain.name === '' ? `#${listener.filterChains.indexOf(chain) + 1}` : chain.name
  return { candidate: `filter chain ${name} of listener ${listener.name}`, matched, reason, origin: listener.origin }
}
