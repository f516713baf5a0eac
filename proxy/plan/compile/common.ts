import type { Duration } from '@bufbuild/protobuf/wkt'
import type { Address } from '../../../api/gen/envoy/config/core/v3/address_pb.js'
import type { Metadata } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import type { StringMatcher as StringMatcherProto } from '../../../api/gen/envoy/type/matcher/v3/string_pb.js'
import { type FractionalPercent, FractionalPercent_DenominatorType } from '../../../api/gen/envoy/type/v3/percent_pb.js'
import { ORIGIN_METADATA_KEY, type Origin, originFromStruct, parseOrigin } from '../../../api/origin.ts'
import { RULES_METADATA_KEY } from '../../../api/rule-names.ts'
import { compileSafeRegex, type SafeRegex } from '../../../lib/safe-regex.ts'
import {
  containsMatcher,
  exactMatcher,
  prefixMatcher,
  regexMatcher,
  type StringMatcher,
  suffixMatcher,
} from '../matchers.ts'
import type { Fraction } from '../plan.ts'
import { refuse } from '../plan-error.ts'

/** Milliseconds of a protobuf duration, or `absent` when there is none. */
export function durationMs(duration: Duration | undefined, absent: number): number {
  return duration === undefined ? absent : Number(duration.seconds) * 1000 + duration.nanos / 1e6
}

export function originOf(metadata: Metadata | undefined): Origin | undefined {
  return originFromStruct(metadata?.filterMetadata[ORIGIN_METADATA_KEY])
}

/** Where a listener's authorization rules are written, by the names of their policies; undefined when it does not say. */
export function ruleOriginsOf(metadata: Metadata | undefined): ReadonlyMap<string, Origin> | undefined {
  const rules = metadata?.filterMetadata[RULES_METADATA_KEY]
  if (rules === undefined) return undefined
  const origins = new Map<string, Origin>()
  for (const [name, text] of Object.entries(rules)) {
    const origin = typeof text === 'string' ? parseOrigin(text) : undefined
    if (origin !== undefined) origins.set(name, origin)
  }
  return origins
}

export function compileRegex(pattern: string, path: string): SafeRegex {
  const compiled = compileSafeRegex(pattern)
  return compiled.ok ? compiled.regex : refuse(path, `regex ${JSON.stringify(pattern)}: ${compiled.error}`)
}

export function compileStringMatcher(matcher: StringMatcherProto, path: string): StringMatcher {
  const { matchPattern, ignoreCase } = matcher
  switch (matchPattern.case) {
    case 'exact':
      return exactMatcher(matchPattern.value, ignoreCase)
    case 'prefix':
      return prefixMatcher(matchPattern.value, ignoreCase)
    case 'suffix':
      return suffixMatcher(matchPattern.value, ignoreCase)
    case 'contains':
      return containsMatcher(matchPattern.value, ignoreCase)
    case 'safeRegex':
      return regexMatcher(compileRegex(matchPattern.value.regex, `${path}.safe_regex`))
    default:
      return refuse(path, `string match ${matchPattern.case ?? 'without a pattern'} is not supported`)
  }
}

const DENOMINATOR = {
  [FractionalPercent_DenominatorType.HUNDRED]: 100,
  [FractionalPercent_DenominatorType.TEN_THOUSAND]: 10_000,
  [FractionalPercent_DenominatorType.MILLION]: 1_000_000,
}

export function fractionOf({ numerator, denominator }: FractionalPercent): Fraction {
  return { numerator, denominator: DENOMINATOR[denominator] }
}

/** undefined means always, which is what holds where nothing is said. */
export function compileFraction(percent: FractionalPercent | undefined): Fraction | undefined {
  if (percent === undefined) return undefined
  const fraction = fractionOf(percent)
  return fraction.numerator >= fraction.denominator ? undefined : fraction
}

export const NEVER: Fraction = { numerator: 0, denominator: 100 }

/** The same where what is not said is never. */
export function compileFractionOrNever(percent: FractionalPercent | undefined): Fraction | undefined {
  return percent === undefined ? NEVER : compileFraction(percent)
}

export interface SocketPlace {
  address: string
  port: number
  unixPath: string
}

export function compileAddress(address: Address | undefined, path: string): SocketPlace {
  const kind = address?.address
  if (kind?.case === 'pipe') return { address: '', port: 0, unixPath: kind.value.path }
  if (kind?.case !== 'socketAddress') return refuse(path, `address ${kind?.case ?? 'missing'} is not supported`)
  const { portSpecifier, address: ip } = kind.value
  if (portSpecifier.case !== 'portValue') return refuse(`${path}.socket_address`, 'a port number is needed')
  if (portSpecifier.value > 65535) return refuse(`${path}.socket_address.port_value`, 'at most 65535')
  return { address: ip, port: portSpecifier.value, unixPath: '' }
}
