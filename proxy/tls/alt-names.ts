import type { SanType } from '../plan/tls-plan.ts'

export interface AltName {
  readonly type: SanType | 'other'
  readonly value: string
}

const TYPES: Readonly<Record<string, SanType>> = { DNS: 'dns', URI: 'uri', email: 'email', 'IP Address': 'ip' }

/**
 * Subject alternative names from node's text for them: `DNS:a.example, URI:spiffe://mesh/ns/a`. Values that hold what
 * could be taken for a separator come quoted as JSON strings there, so that a name cannot pose as several
 * (CVE-2021-44532). Text that breaks this form gives no names from there on.
 */
export function parseAltNames(text: string | undefined): AltName[] {
  const names: AltName[] = []
  let at = 0
  while (text !== undefined && at < text.length) {
    const colon = text.indexOf(':', at)
    if (colon < 0) break
    const type = TYPES[text.slice(at, colon)] ?? 'other'
    let value: string
    let end: number
    if (text[colon + 1] === '"') {
      end = quoteEnd(text, colon + 1)
      const parsed = end < 0 ? undefined : unquote(text.slice(colon + 1, end))
      if (parsed === undefined) break
      value = parsed
    } else {
      end = text.indexOf(', ', colon)
      if (end < 0) end = text.length
      value = text.slice(colon + 1, end)
    }
    names.push({ type, value })
    if (end < text.length && !text.startsWith(', ', end)) break
    at = end + 2
  }
  return names
}

/** The place after the quote that closes the string which begins at `at`; -1 when none does. */
function quoteEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '"') return i + 1
  }
  return -1
}

function unquote(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string
  } catch {
    return undefined
  }
}
