import type { HeaderMatcher } from '../plan/matchers.ts'
import type { HeaderBlock } from '../stream/header-block.ts'
import type { RequestHead } from '../stream/message.ts'

/** A field or pseudo-header by lower-case name. */
export function fieldOf(head: RequestHead, name: string): string | undefined {
  if (name.charCodeAt(0) !== 58) return head.get(name)
  switch (name) {
    case ':method':
      return head.method
    case ':path':
      return head.path
    case ':authority':
      return head.authority
    case ':scheme':
      return head.scheme
    default:
      return undefined
  }
}

/** The same, of a field that comes more than once the first value. */
export function firstFieldOf(head: RequestHead, name: string): string | undefined {
  if (name.charCodeAt(0) === 58) return fieldOf(head, name)
  const received = head.find(name)
  if (received >= 0) return head.value(received)
  for (let i = 0; i < head.addedCount; i++) if (head.addedName(i).toLowerCase() === name) return head.addedValue(i)
  return undefined
}

/**
 * Envoy's rule for one header: a missing field matches only an inverted `present`, unless it is to be treated as
 * empty; else any of its values must match, or none when the match is inverted.
 */
export function headerMatches(matcher: HeaderMatcher, head: RequestHead): boolean {
  const { name } = matcher
  return name.charCodeAt(0) === 58 ? pseudoMatches(matcher, fieldOf(head, name)) : fieldMatches(matcher, head)
}

/** The same for a pseudo-header with this value. */
export function pseudoMatches({ value, invert }: HeaderMatcher, pseudo: string | undefined): boolean {
  if (pseudo === undefined) return value === 'present' && invert
  return (value === 'present' || value.test(pseudo)) !== invert
}

/** The same for a field, of a request or a response. */
export function fieldMatches({ name, value, invert, treatMissingAsEmpty }: HeaderMatcher, head: HeaderBlock): boolean {
  const isThere = head.has(name)
  if (value === 'present') return isThere !== invert
  if (!isThere) return treatMissingAsEmpty && value.test('') !== invert
  return head.anyValue(name, value) !== invert
}

/** The path without its query. */
export function pathname(path: string): string {
  const query = path.indexOf('?')
  return query < 0 ? path : path.slice(0, query)
}

/** The query without its `?`; '' when there is none. */
export function queryOf(path: string): string {
  const query = path.indexOf('?')
  return query < 0 ? '' : path.slice(query + 1)
}

/** The address of `ip:port`; that of IPv6 without its brackets. '' when there is none, as for a unix socket. */
export function addressWithoutPort(text: string): string {
  const address = hostWithoutPort(text)
  return address.charCodeAt(0) === 91 ? address.slice(1, -1) : address
}

/** `ip:port`, with brackets around an IPv6 address. */
export function addressWithPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** The host of an authority, without a port. An IPv6 literal keeps its brackets. */
export function hostWithoutPort(authority: string): string {
  if (authority.charCodeAt(0) === 91) {
    const close = authority.indexOf(']')
    return close < 0 ? authority : authority.slice(0, close + 1)
  }
  const colon = authority.lastIndexOf(':')
  return colon < 0 ? authority : authority.slice(0, colon)
}

/** What a field says that holds a number; undefined where it is none, or too large for any clock. */
export function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}
