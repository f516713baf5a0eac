import { pathname, queryOf } from '../../../decide/fields.ts'
import type { RequestHead } from '../../../stream/message.ts'

/** Where a token may stand in a request. */
export type Location =
  | { readonly kind: 'header'; readonly name: string; readonly prefix: string }
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }

/** A token as it was found. */
export interface FoundToken {
  readonly text: string
  readonly location: Location
}

/** Where tokens are looked for when a provider says nothing (RFC 6750 sections 2.1 and 2.3). */
export const DEFAULT_LOCATIONS: readonly Location[] = [
  { kind: 'header', name: 'authorization', prefix: 'Bearer ' },
  { kind: 'param', name: 'access_token' },
]

const KIND_ORDER = { header: 0, param: 1, cookie: 2 } as const

/** Envoy's order: headers, parameters, cookies, each by name. */
export function sortLocations(locations: readonly Location[]): Location[] {
  const key = (location: Location) => location.name + (location.kind === 'header' ? location.prefix : '')
  return [...locations].sort(
    (a, b) => KIND_ORDER[a.kind] - KIND_ORDER[b.kind] || (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0),
  )
}

/** What stands at a location: usually nothing, or one text. */
export function findTokens(head: RequestHead, location: Location): readonly string[] {
  switch (location.kind) {
    case 'header':
      return valuesOf(head, location.name).flatMap((value) => afterPrefix(value, location.prefix) ?? [])
    case 'param':
      return oneOrNone(queryParam(queryOf(head.path), location.name))
    default:
      return oneOrNone(cookie(head, location.name))
  }
}

const NONE: readonly string[] = []

function oneOrNone(text: string | undefined): readonly string[] {
  return text === undefined ? NONE : [text]
}

/**
 * The values of a field. Envoy joins those of Authorization as soon as they come, leaving out empty ones: two tokens there are
 * none.
 */
function valuesOf(head: RequestHead, name: string): readonly string[] {
  if (!head.has(name)) return NONE
  const values: string[] = []
  head.anyValue(name, {
    test(value) {
      values.push(value)
      return false
    },
  })
  if (values.length < 2 || name !== 'authorization') return values
  return [values.filter((value) => value !== '').join(',')]
}

/**
 * What follows the prefix, wherever it stands, from the first character on that a token may have. The whole value where no
 * prefix is asked for.
 */
function afterPrefix(value: string, prefix: string): string | undefined {
  if (prefix === '') return value
  const at = value.indexOf(prefix)
  if (at < 0) return undefined
  const rest = value.slice(at + prefix.length)
  const start = rest.search(/[A-Za-z0-9_.-]/)
  return start < 0 ? value : rest.slice(start)
}

function queryParam(query: string, name: string): string | undefined {
  if (query === '') return undefined
  for (const part of query.split('&')) {
    const equals = part.indexOf('=')
    if (percentDecoded(equals < 0 ? part : part.slice(0, equals)) === name) {
      return equals < 0 ? '' : percentDecoded(part.slice(equals + 1))
    }
  }
  return undefined
}

/** As Envoy's: what is no escape stays, and a plus is a plus. */
function percentDecoded(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** The first of this name, in whichever of several fields. */
function cookie(head: RequestHead, name: string): string | undefined {
  let found: string | undefined
  head.anyValue('cookie', {
    test(field) {
      found = cookieIn(field, name)
      return found !== undefined
    },
  })
  return found
}

function cookieIn(field: string, name: string): string | undefined {
  for (const part of field.split(';')) {
    const equals = part.indexOf('=')
    if (equals >= 0 && part.slice(0, equals).trim() === name) {
      const value = part.slice(equals + 1).trim()
      return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
    }
  }
  return undefined
}

/** Takes a token that was accepted out of the request. A cookie stays, as in Envoy: others stand in the same field. */
export function removeToken(head: RequestHead, location: Location): void {
  if (location.kind === 'header') head.remove(location.name)
  else if (location.kind === 'param') {
    const kept = queryOf(head.path)
      .split('&')
      .filter((part) => percentDecoded(part.split('=', 1)[0] as string) !== location.name)
    head.path = pathname(head.path) + (kept.length === 0 ? '' : `?${kept.join('&')}`)
  }
}
