import type { CidrRange } from '../../../api/gen/envoy/config/core/v3/address_pb.js'
import type { HeaderMatcher as HeaderMatcherProto } from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import type { PathMatcher } from '../../../api/gen/envoy/type/matcher/v3/path_pb.js'
import type { StringMatcher as StringMatcherProto } from '../../../api/gen/envoy/type/matcher/v3/string_pb.js'
import { PrefixTable } from '../../../lib/prefix-table.ts'
import { headerMatches } from '../../decide/fields.ts'
import { compileStringMatcher } from '../../plan/compile/common.ts'
import { compileRanges } from '../../plan/compile/filter-chain-match.ts'
import { byCharacters, compileHeaderMatcher } from '../../plan/compile/route-match.ts'
import { describeHeaderMatcher } from '../../plan/matchers.ts'
import { refuse } from '../../plan/plan-error.ts'
import type { Asked } from './asked.ts'
import type { IndexKey } from './index-key.ts'
import type { Leaf } from './predicate.ts'
import { textKey } from './text-key.ts'

/** The conditions that permissions and principals share. */

export function leaf(describe: string, test: (asked: Asked) => boolean, key?: IndexKey): Leaf {
  return { kind: 'leaf', describe, key, test }
}

/** A connection of bytes has no headers: only the wish for one's absence is met there. */
export function headerLeaf(proto: HeaderMatcherProto, where: string): Leaf {
  const matcher = compileHeaderMatcher(proto, where)
  const isAbsenceWanted = matcher.value === 'present' && matcher.invert
  return leaf(
    describeHeaderMatcher(matcher),
    ({ head }) => (head === undefined ? isAbsenceWanted : headerMatches(matcher, head)),
    headerKey(proto, matcher.name),
  )
}

function headerKey(proto: HeaderMatcherProto, name: string): IndexKey | undefined {
  if (proto.invertMatch || proto.treatMissingHeaderAsEmpty) return undefined
  const specifier = proto.headerMatchSpecifier
  if (specifier.case !== 'stringMatch') return undefined
  return textKey({ kind: 'header', name, fold: specifier.value.ignoreCase && name.startsWith(':') }, specifier.value)
}

export function pathLeaf({ rule }: PathMatcher, where: string): Leaf {
  if (rule.case !== 'path') return refuse(where, 'a path is needed')
  const matcher = byCharacters(compileStringMatcher(rule.value, `${where}.path`))
  return leaf(
    `path ${matcher.describe}`,
    ({ path }) => path !== undefined && matcher.test(path),
    textKey({ kind: 'path' }, rule.value),
  )
}

export type AddressOf = (asked: Asked) => string

/** `what` is how the address is called. */
export function addressLeaf(what: string, range: CidrRange, addressOf: AddressOf, where: string): Leaf {
  const [compiled] = compileRanges([range], where)
  const { address, prefixLength } = compiled as { address: string; prefixLength: number }
  const table = new PrefixTable<true>()
  table.at(address, prefixLength, () => true)
  return leaf(`${what} in ${address}/${prefixLength}`, (asked) => table.find(addressOf(asked)) === true)
}

/** `nameOf` is a text of the connection. */
export function serverNameLeaf(proto: StringMatcherProto, where: string): Leaf {
  const matcher = compileStringMatcher(proto, where)
  return leaf(
    `server name ${matcher.describe}`,
    ({ serverName }) => matcher.test(serverName),
    textKey({ kind: 'server_name' }, proto),
  )
}

/** Without a matcher: whoever has shown a certificate that was verified. */
export function peerLeaf(proto: StringMatcherProto | undefined, where: string): Leaf {
  if (proto === undefined) return leaf('a verified peer', ({ facts }) => facts.tls?.isPeerVerified === true)
  const matcher = compileStringMatcher(proto, where)
  return leaf(
    `peer ${matcher.describe}`,
    ({ peerNames }) => someOf(peerNames, matcher),
    textKey({ kind: 'peer' }, proto),
  )
}

function someOf(names: readonly string[], matcher: { test(value: string): boolean }): boolean {
  for (let i = 0; i < names.length; i++) if (matcher.test(names[i] as string)) return true
  return false
}
