import { createRequire } from 'node:module'
import type { RE2JS } from 're2js'
import { errorText } from './errors.ts'

/** Istio and Envoy accept patterns up to this length. */
export const MAX_PATTERN_LENGTH = 1024

/** An RE2 pattern: linear time on every input (github.com/google/re2/wiki/Syntax). */
export interface SafeRegex {
  readonly pattern: string
  /** Whether the whole text matches, as Istio's and Envoy's `safe_regex` demand. */
  fullMatch(text: string): boolean
  /** Whether a part of the text matches. */
  search(text: string): boolean
  /** Replaces every match. `rewrite` refers to groups as RE2 does: `\0` the match, `\1` the first group, `\\` a backslash. */
  replaceAll(text: string, rewrite: string): string
}

export type SafeRegexResult = { ok: true; regex: SafeRegex } | { ok: false; error: string }

/** Characters that mean something in a pattern. A pattern without any is compared as plain text. */
const META = /[\\^$.|?*+()[\]{}]/

export function compileSafeRegex(pattern: string): SafeRegexResult {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    return {
      ok: false,
      error: `the pattern has ${pattern.length} characters, at most ${MAX_PATTERN_LENGTH} are allowed`,
    }
  }
  try {
    return { ok: true, regex: new Re2Regex(pattern) }
  } catch (thrown) {
    return { ok: false, error: errorText(thrown) }
  }
}

class Re2Regex implements SafeRegex {
  readonly pattern: string
  readonly #fullMatch: (text: string) => boolean
  /** Made when it is first needed, where plain strings do for whole matches. */
  #compiled: RE2JS | undefined

  /** Throws the library's error for what is no pattern. */
  constructor(pattern: string) {
    this.pattern = pattern
    const fast = fastFullMatch(pattern)
    if (fast !== undefined) this.#fullMatch = fast
    else {
      const compiled = this.#re2()
      this.#fullMatch = (text) => compiled.matches(text)
    }
  }

  fullMatch(text: string): boolean {
    return this.#fullMatch(text)
  }

  search(text: string): boolean {
    return this.#re2().matcher(text).find()
  }

  replaceAll(text: string, rewrite: string): string {
    const matcher = this.#re2().matcher(text)
    let out = ''
    let copiedTo = 0
    while (matcher.find()) {
      out += text.slice(copiedTo, matcher.start())
      out += rewrite.replace(/\\(\d)|\\\\/g, (_found, digit: string | undefined) =>
        digit === undefined ? '\\' : (matcher.group(Number(digit)) ?? ''),
      )
      copiedTo = matcher.end()
    }
    return out + text.slice(copiedTo)
  }

  #re2(): RE2JS {
    if (this.#compiled === undefined) this.#compiled = compileRe2(this.pattern)
    return this.#compiled
  }
}

let library: typeof import('re2js') | undefined

/** Throws the library's error. It is loaded when it is first needed: with its tables of Unicode it takes 2 MB, and few need it. */
function compileRe2(pattern: string): RE2JS {
  if (library === undefined) library = createRequire(import.meta.url)('re2js') as typeof import('re2js')
  return library.RE2JS.compile(pattern)
}

/** Most patterns of real routes are literals, or a literal with `.*` or `.+` at its ends: plain string operations do for them. */
function fastFullMatch(pattern: string): ((text: string) => boolean) | undefined {
  if (!META.test(pattern)) return (text) => text === pattern
  const lead = /^\.[*+]/.exec(pattern)?.[0] ?? ''
  const rest = pattern.slice(lead.length)
  const trail = rest.endsWith('.*') || rest.endsWith('.+') ? rest.slice(-2) : ''
  const literal = rest.slice(0, rest.length - trail.length)
  if (META.test(literal) || literal.includes('\n') || (lead === '' && trail === '')) return undefined
  const leadMin = lead === '.+' ? 1 : 0
  const trailMin = trail === '.+' ? 1 : 0
  // `.` does not match a line feed in RE2; header values and paths hold none, but be exact.
  return (text) => {
    if (text.includes('\n') || text.length < leadMin + literal.length + trailMin) return false
    if (lead === '') return text.startsWith(literal)
    if (trail === '') return text.endsWith(literal)
    const at = text.indexOf(literal, leadMin)
    return at >= 0 && at + literal.length + trailMin <= text.length
  }
}

/** A group reference in `rewrite` that `pattern` does not have, if any: the rewrite would fail on every request. */
export function missingGroup(pattern: SafeRegex, rewrite: string): number | undefined {
  const groups = compileRe2(pattern.pattern).groupCount()
  for (const [, digit] of rewrite.matchAll(/\\(\d)/g)) if (Number(digit) > groups) return Number(digit)
  return undefined
}
