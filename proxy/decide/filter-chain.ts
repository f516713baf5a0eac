import { isLoopback } from '../../lib/ip.ts'
import type {
  DirectSourceLevel,
  NameLevel,
  ProtocolLevel,
  SourceLevel,
  SourceTypeLevel,
  TransportLevel,
} from '../plan/filter-chain-index.ts'
import type { FilterChainPlan, ListenerPlan } from '../plan/plan.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import { traceFilterChain } from './filter-chain-trace.ts'
import type { Trace } from './trace.ts'

/**
 * Chooses the filter chain as Envoy does: criterion after criterion in a fixed order, keeping only the most specific
 * matches of each and never going back (envoy.config.listener.v3.FilterChainMatch). undefined: no chain takes it.
 */
export function findFilterChain(
  listener: ListenerPlan,
  facts: ConnectionFacts,
  trace?: Trace,
): FilterChainPlan | undefined {
  const found = listener.plainChain ?? searchIndex(listener, facts) ?? listener.defaultFilterChain
  if (trace !== undefined) traceFilterChain(listener, facts, found, trace)
  return found
}

function searchIndex({ chainIndex }: ListenerPlan, facts: ConnectionFacts): FilterChainPlan | undefined {
  const addresses = chainIndex.find(facts.destinationPort)
  const names = addresses?.find(facts.destinationAddress)
  const transports = names && findName(names, facts.serverName)
  const protocols = transports?.find(facts.transportProtocol)
  const direct = protocols && findProtocol(protocols, facts.applicationProtocols)
  const types = direct?.find(facts.directSourceAddress)
  const sources = types && findSourceType(types, facts)
  return sources?.find(facts.sourceAddress)?.find(facts.sourcePort)?.chain
}

/** The whole name, then `*.` and what follows its first dot, and so on. */
function findName(names: NameLevel, serverName: string): TransportLevel | undefined {
  if (serverName === '' || names.specific.size === 0) return names.any
  const exact = names.specific.get(serverName)
  if (exact !== undefined) return exact
  for (let dot = serverName.indexOf('.'); dot >= 0; dot = serverName.indexOf('.', dot + 1)) {
    const found = names.specific.get(`*${serverName.slice(dot)}`)
    if (found !== undefined) return found
  }
  return names.any
}

/** The first of the client's protocols that a chain names. */
function findProtocol(level: ProtocolLevel, protocols: readonly string[]): DirectSourceLevel | undefined {
  if (level.specific.size > 0) {
    for (const protocol of protocols) {
      const found = level.specific.get(protocol)
      if (found !== undefined) return found
    }
  }
  return level.any
}

function findSourceType(types: SourceTypeLevel, facts: ConnectionFacts): SourceLevel | undefined {
  return types.specific.size === 0 ? types.any : types.find(isLocalSource(facts) ? 'local' : 'external')
}

export function isLocalSource({ sourceAddress, destinationAddress }: ConnectionFacts): boolean {
  return isLoopback(sourceAddress) || (sourceAddress !== '' && sourceAddress === destinationAddress)
}
