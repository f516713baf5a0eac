import { isIP } from 'node:net'
import type { CidrRange } from '../../../api/gen/envoy/config/core/v3/address_pb.js'
import {
  type FilterChainMatch,
  FilterChainMatch_ConnectionSourceType as SourceTypeProto,
} from '../../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { CidrPlan, FilterChainMatchPlan, SourceType } from '../plan.ts'
import { refuse } from '../plan-error.ts'

const ANY: FilterChainMatchPlan = {
  destinationPort: undefined,
  prefixRanges: [],
  serverNames: [],
  transportProtocol: '',
  applicationProtocols: [],
  directSourcePrefixRanges: [],
  sourceType: 'any',
  sourcePrefixRanges: [],
  sourcePorts: [],
}

/** envoy.config.listener.v3.FilterChainMatch. Throws a PlanError that names the field. */
export function compileFilterChainMatch(match: FilterChainMatch | undefined, path: string): FilterChainMatchPlan {
  if (match === undefined) return ANY
  if (match.addressSuffix !== '' || match.suffixLen !== undefined) refuse(`${path}.address_suffix`, 'not supported')
  return {
    destinationPort: match.destinationPort,
    prefixRanges: compileRanges(match.prefixRanges, `${path}.prefix_ranges`),
    serverNames: match.serverNames.map((name, i) => serverName(name, `${path}.server_names[${i}]`)),
    transportProtocol: match.transportProtocol,
    applicationProtocols: match.applicationProtocols,
    directSourcePrefixRanges: compileRanges(match.directSourcePrefixRanges, `${path}.direct_source_prefix_ranges`),
    sourceType: SOURCE_TYPES[match.sourceType],
    sourcePrefixRanges: compileRanges(match.sourcePrefixRanges, `${path}.source_prefix_ranges`),
    sourcePorts: match.sourcePorts,
  }
}

/** Whether every connection meets it. */
export function matchesAll(match: FilterChainMatchPlan): boolean {
  return (
    match.destinationPort === undefined &&
    match.transportProtocol === '' &&
    match.sourceType === 'any' &&
    match.serverNames.length + match.applicationProtocols.length + match.sourcePorts.length === 0 &&
    match.prefixRanges.length + match.directSourcePrefixRanges.length + match.sourcePrefixRanges.length === 0
  )
}

const SOURCE_TYPES: Readonly<Record<SourceTypeProto, SourceType>> = {
  [SourceTypeProto.ANY]: 'any',
  [SourceTypeProto.SAME_IP_OR_LOOPBACK]: 'local',
  [SourceTypeProto.EXTERNAL]: 'external',
}

/** envoy.config.core.v3.CidrRange. */
export function compileRanges(protos: readonly CidrRange[], path: string): CidrPlan[] {
  return protos.map(({ addressPrefix, prefixLen }, i) => {
    const family = isIP(addressPrefix)
    if (family === 0) refuse(`${path}[${i}].address_prefix`, `${JSON.stringify(addressPrefix)} is not an IP address`)
    const max = family === 4 ? 32 : 128
    if ((prefixLen ?? 0) > max) refuse(`${path}[${i}].prefix_len`, `at most ${max}`)
    return { address: addressPrefix, prefixLength: prefixLen ?? 0 }
  })
}

/** SNIs are compared in lower case, as the inspector gives them. */
function serverName(name: string, path: string): string {
  if (name === '') refuse(path, 'must not be empty')
  if (name.lastIndexOf('*') > 0 || (name.startsWith('*') && !name.startsWith('*.'))) {
    refuse(path, `partial wildcards are not supported: ${name}`)
  }
  return name.toLowerCase()
}
