import { canonicalIp, unmapIpv4 } from '../../lib/ip.ts'
import { compileSafeRegex, type SafeRegex } from '../../lib/safe-regex.ts'
import type { Value, ValueType } from '../attributes/value.ts'
import type { Evaluation } from './evaluation.ts'
import { normalDnsName, normalEmail, normalUri } from './names.ts'

export interface FunctionInfo {
  /** Of a method, what it is called on. */
  readonly target: ValueType | undefined
  readonly args: readonly ValueType[]
  readonly returns: ValueType
  /** `values`: the target, if there is one, and the arguments. undefined after evaluation.fail(). */
  call(values: readonly Value[], evaluation: Evaluation): Value | undefined
  /** With the first value known beforehand, as a function of the others; throws a text when that is no good. */
  prepare?(first: Value): (values: readonly Value[]) => Value
}

function fn(
  args: readonly ValueType[],
  returns: ValueType,
  call: FunctionInfo['call'],
  more: Partial<FunctionInfo> = {},
): FunctionInfo {
  return { target: undefined, args, returns, call, ...more }
}

function glob(text: string, pattern: string): boolean {
  if (pattern.endsWith('*')) return text.startsWith(pattern.slice(0, -1))
  if (pattern.startsWith('*')) return text.endsWith(pattern.slice(1))
  return text === pattern
}

/** A day of the calendar, a time, and an offset (RFC 3339). */
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/

function timestampMs(text: string): number | undefined {
  if (!RFC3339.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

/** Patterns that come with the calls, which are few; more are compiled each time anew. */
const MAX_PATTERNS = 256
const patterns = new Map<string, SafeRegex>()

function regexOf(pattern: string): SafeRegex | string {
  const known = patterns.get(pattern)
  if (known !== undefined) return known
  const compiled = compileSafeRegex(pattern)
  if (!compiled.ok) return compiled.error
  if (patterns.size < MAX_PATTERNS) patterns.set(pattern, compiled.regex)
  return compiled.regex
}

/** One that turns text into something that it must be the text of. */
function reader(returns: ValueType, read: (text: string) => Value | undefined, what: string): FunctionInfo {
  return fn(
    ['STRING'],
    returns,
    ([text], evaluation) => read(text as string) ?? evaluation.fail(`${JSON.stringify(text)} is no ${what}`),
  )
}

/** conditional() and conditionalString() are compiled by themselves, because they evaluate one of their values only. */
export const FUNCTIONS: ReadonlyMap<string, FunctionInfo> = new Map<string, FunctionInfo>([
  ['match', fn(['STRING', 'STRING'], 'BOOL', ([text, pattern]) => glob(text as string, pattern as string))],
  [
    'matches',
    fn(
      ['STRING'],
      'BOOL',
      ([pattern, text], evaluation) => {
        const regex = regexOf(pattern as string)
        return typeof regex === 'string' ? evaluation.fail(regex) : regex.search(text as string)
      },
      {
        target: 'STRING',
        prepare(pattern) {
          const regex = regexOf(pattern as string)
          if (typeof regex === 'string') throw regex
          return ([text]) => regex.search(text as string)
        },
      },
    ),
  ],
  [
    'startsWith',
    fn(['STRING'], 'BOOL', ([text, prefix]) => (text as string).startsWith(prefix as string), { target: 'STRING' }),
  ],
  [
    'endsWith',
    fn(['STRING'], 'BOOL', ([text, suffix]) => (text as string).endsWith(suffix as string), { target: 'STRING' }),
  ],
  ['size', fn(['STRING'], 'INT64', ([text]) => Buffer.byteLength(text as string))],
  ['toLower', fn(['STRING'], 'STRING', ([text]) => (text as string).toLowerCase())],
  ['emptyStringMap', fn([], 'STRING_MAP', () => EMPTY_MAP)],
  ['ip', reader('IP_ADDRESS', (text) => canonicalIp(unmapIpv4(text)) || undefined, 'IP address')],
  ['timestamp', reader('TIMESTAMP', timestampMs, 'time of RFC 3339')],
  ['dnsName', reader('DNS_NAME', (text) => (normalDnsName(text) === undefined ? undefined : text), 'name of a host')],
  ['email', reader('EMAIL_ADDRESS', (text) => (normalEmail(text) === undefined ? undefined : text), 'address of mail')],
  ['uri', reader('URI', (text) => (normalUri(text) === undefined ? undefined : text), 'URI')],
])

const EMPTY_MAP = Object.freeze({})

export const FUNCTION_NAMES: readonly string[] = [...FUNCTIONS.keys(), 'conditional', 'conditionalString']
