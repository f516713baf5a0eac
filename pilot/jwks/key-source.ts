import { parseDurationMs } from '../../crds/duration.ts'
import type { JWTRule } from '../../crds/kinds/request-authentication.ts'

/** Where the keys of a rule come from. */
export type KeySource =
  | { readonly kind: 'inline'; readonly text: string }
  | { readonly kind: 'uri'; readonly url: string; readonly timeoutMs: number }
  /** OpenID Connect Discovery 1.0 section 4: the issuer says where. */
  | { readonly kind: 'discovery'; readonly issuer: string; readonly timeoutMs: number }

const DEFAULT_TIMEOUT_MS = 5000

export function keySourceOf({ jwks = '', jwksUri = '', issuer = '', timeout }: JWTRule): KeySource {
  if (jwks !== '') return { kind: 'inline', text: jwks }
  const timeoutMs = (timeout === undefined ? undefined : parseDurationMs(timeout)) ?? DEFAULT_TIMEOUT_MS
  return jwksUri === '' ? { kind: 'discovery', issuer, timeoutMs } : { kind: 'uri', url: jwksUri, timeoutMs }
}

/** Sources with the same name have the same keys. */
export function sourceName(source: Exclude<KeySource, { kind: 'inline' }>): string {
  return source.kind === 'uri' ? source.url : `issuer ${source.issuer}`
}
