/** `.` segments, `//`, and `%` escapes are what normalisation can touch; most paths have none. */
const MAY_CHANGE = /\/\.|\/\/|%|\\/
/** The last path that had none. */
let plainPath = ''

export interface PathRules {
  readonly normalizePath: boolean
  readonly mergeSlashes: boolean
  readonly escapedSlashes: 'keep' | 'reject' | 'unescape' | 'redirect'
}

/**
 * The path that matching and the upstream both see: dot segments resolved and escapes of unreserved characters undone
 * (RFC 3986 section 6.2.2), slashes merged if asked. The query is left alone. undefined when the path must be refused:
 * it climbs above the root, holds `%00`, or has an escaped slash that the rules forbid.
 */
export function normalizePath(path: string, rules: PathRules): string | undefined {
  if (path === plainPath) return path
  if (!MAY_CHANGE.test(path)) {
    plainPath = path
    return path
  }
  const queryAt = path.indexOf('?')
  let plain = queryAt < 0 ? path : path.slice(0, queryAt)
  const query = queryAt < 0 ? '' : path.slice(queryAt)
  if (/%00/.test(plain)) return undefined
  if (/%(2f|5c)/i.test(plain)) {
    if (rules.escapedSlashes === 'reject') return undefined
    if (rules.escapedSlashes !== 'keep') plain = plain.replace(/%2f/gi, '/').replace(/%5c/gi, '\\')
  }
  if (rules.normalizePath) {
    const resolved = resolveDots(undoEscapes(plain.replaceAll('\\', '/')))
    if (resolved === undefined) return undefined
    plain = resolved
  }
  if (rules.mergeSlashes) plain = plain.replace(/\/{2,}/g, '/')
  return plain + query
}

/** Whether the path, less its query, has a slash or a backslash in disguise. */
export function hasEscapedSlash(path: string): boolean {
  const queryAt = path.indexOf('?')
  return /%(2f|5c)/i.test(queryAt < 0 ? path : path.slice(0, queryAt))
}

/** `%41` becomes `A`; escapes of anything reserved stay, with upper-case digits. */
function undoEscapes(plain: string): string {
  return plain.replace(/%([0-9a-fA-F]{2})/g, (whole, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : whole.toUpperCase()
  })
}

/** RFC 3986 section 5.2.4, but a path that climbs above the root is refused instead of clamped. */
function resolveDots(plain: string): string | undefined {
  const out: string[] = []
  const segments = plain.split('/')
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i] as string
    const isLast = i === segments.length - 1
    if (segment === '.') {
      if (isLast) out.push('')
    } else if (segment === '..') {
      if (out.length === 0) return undefined
      out.pop()
      if (isLast) out.push('')
    } else out.push(segment)
  }
  return `/${out.join('/')}`
}
