import type { SafeRegex } from '../../lib/safe-regex.ts'

/** A compiled string test with the words that explain it. */
export interface StringMatcher {
  /** `exact "jason"`, `prefix "/v1"`, ... */
  readonly describe: string
  test(value: string): boolean
}

/** A compiled header match (envoy.config.route.v3.HeaderMatcher). */
export interface HeaderMatcher {
  /** Lower-case; a pseudo-header keeps its colon (`:method`, `:path`, `:authority`, `:scheme`). */
  readonly name: string
  /** `present` looks only at whether the field is there. */
  readonly value: StringMatcher | 'present'
  readonly invert: boolean
  readonly treatMissingAsEmpty: boolean
}

/** A compiled query match (envoy.config.route.v3.QueryParameterMatcher). */
export interface QueryMatcher {
  readonly name: string
  readonly value: StringMatcher | 'present'
}

export function exactMatcher(wanted: string, ignoreCase: boolean): StringMatcher {
  const describe = `exact ${JSON.stringify(wanted)}${ignoreCase ? ' ignoring case' : ''}`
  if (!ignoreCase) return { describe, test: (value) => value === wanted }
  const lower = wanted.toLowerCase()
  return { describe, test: (value) => value.toLowerCase() === lower }
}

export function prefixMatcher(wanted: string, ignoreCase: boolean): StringMatcher {
  const describe = `prefix ${JSON.stringify(wanted)}${ignoreCase ? ' ignoring case' : ''}`
  if (!ignoreCase) return { describe, test: (value) => value.startsWith(wanted) }
  const lower = wanted.toLowerCase()
  return { describe, test: (value) => value.toLowerCase().startsWith(lower) }
}

export function suffixMatcher(wanted: string, ignoreCase: boolean): StringMatcher {
  const describe = `suffix ${JSON.stringify(wanted)}${ignoreCase ? ' ignoring case' : ''}`
  if (!ignoreCase) return { describe, test: (value) => value.endsWith(wanted) }
  const lower = wanted.toLowerCase()
  return { describe, test: (value) => value.toLowerCase().endsWith(lower) }
}

export function containsMatcher(wanted: string, ignoreCase: boolean): StringMatcher {
  const describe = `contains ${JSON.stringify(wanted)}${ignoreCase ? ' ignoring case' : ''}`
  if (!ignoreCase) return { describe, test: (value) => value.includes(wanted) }
  const lower = wanted.toLowerCase()
  return { describe, test: (value) => value.toLowerCase().includes(lower) }
}

export function regexMatcher(regex: SafeRegex): StringMatcher {
  return { describe: `regex ${JSON.stringify(regex.pattern)}`, test: (value) => regex.fullMatch(value) }
}

/** [start, end) over decimal integers, as Envoy's range_match. */
export function rangeMatcher(start: number, end: number): StringMatcher {
  return {
    describe: `range [${start}, ${end})`,
    test: (value) => /^-?\d+$/.test(value) && Number(value) >= start && Number(value) < end,
  }
}

/** The first value of a query parameter, not percent-decoded; undefined when there is none. `query` begins after `?`. */
export function queryValue(query: string, name: string): string | undefined {
  let start = 0
  while (start <= query.length) {
    let end = query.indexOf('&', start)
    if (end < 0) end = query.length
    const equals = query.indexOf('=', start)
    const nameEnd = equals >= 0 && equals < end ? equals : end
    if (nameEnd - start === name.length && query.startsWith(name, start)) {
      return nameEnd === end ? '' : query.slice(nameEnd + 1, end)
    }
    start = end + 1
  }
  return undefined
}

export function describeHeaderMatcher(matcher: HeaderMatcher): string {
  const what = matcher.value === 'present' ? 'present' : matcher.value.describe
  return `header ${matcher.name} ${matcher.invert ? 'not ' : ''}${what}`
}

export function describeQueryMatcher(matcher: QueryMatcher): string {
  return `query parameter ${matcher.name} ${matcher.value === 'present' ? 'present' : matcher.value.describe}`
}

/** Matchers for fields that have to be there, by their names. */
export function presentHeaders(names: readonly string[]): HeaderMatcher[] {
  return names.map((name) => ({
    name: name.toLowerCase(),
    value: 'present',
    invert: false,
    treatMissingAsEmpty: false,
  }))
}
