import type { RequestHead } from '../../../stream/message.ts'
import type { KeySet } from './key-set.ts'
import { type FoundToken, findTokens, type Location } from './locations.ts'
import type { RemoteJwks } from './remote-jwks.ts'
import { JWT_STATUS, type JwtStatus } from './status.ts'
import type { Jwt } from './token.ts'
import type { VerifiedTokens } from './verified-tokens.ts'

/** Who issues tokens, and what of them is passed on (envoy.extensions.filters.http.jwt_authn.v3.JwtProvider). */
export interface Provider {
  readonly name: string
  /** '' takes tokens of every issuer that these keys have signed. */
  readonly issuer: string
  /** Empty takes tokens for everybody. */
  readonly audiences: readonly string[]
  readonly locations: readonly Location[]
  readonly localKeys: KeySet | undefined
  readonly remote: RemoteJwks | undefined
  /** The token stays in the request. */
  readonly forward: boolean
  /** Lower-case; '' for none. */
  readonly payloadHeader: string
  readonly padPayloadHeader: boolean
  readonly claimHeaders: readonly { readonly header: string; readonly path: readonly string[] }[]
  /** The fields in which something of a token is passed on: those two. */
  readonly outputHeaders: readonly string[]
  /** Under which keys of the filter's metadata payload and header are kept; '' for not. */
  readonly payloadInMetadata: string
  readonly headerInMetadata: string
  readonly spaceDelimitedClaims: readonly string[]
  readonly clockSkewSeconds: number
  readonly clearsRoute: boolean
  readonly verified: VerifiedTokens
}

export function keysOf({ localKeys, remote }: Provider): KeySet | undefined {
  return remote === undefined ? localKeys : remote.keys
}

export function tokensAt(locations: readonly Location[], head: RequestHead): FoundToken[] {
  return locations.flatMap((location) => findTokens(head, location).map((text) => ({ text, location })))
}

/** What a token says of itself, judged in Envoy's order; undefined when only its signature is left to look at. */
export function wrongClaims(
  jwt: Jwt,
  provider: Provider,
  audiences: readonly string[],
  nowSeconds: number,
): JwtStatus | undefined {
  const { clockSkewSeconds } = provider
  if (nowSeconds + clockSkewSeconds < jwt.notBefore) return JWT_STATUS.notYetValid
  if (jwt.expires > 0 && nowSeconds > jwt.expires + clockSkewSeconds) return JWT_STATUS.expired
  if (audiences.length === 0) return undefined
  const isFor = jwt.audiences.some((audience) => audiences.includes(plainAudience(audience)))
  return isFor ? undefined : JWT_STATUS.audienceNotAllowed
}

/** Envoy's CheckAudience: the scheme and a slash at the end do not count. */
export function plainAudience(audience: string): string {
  const withoutScheme = audience.replace(/^https?:\/\//, '')
  return withoutScheme.endsWith('/') ? withoutScheme.slice(0, -1) : withoutScheme
}

export function takesIssuer(provider: Provider, issuer: string): boolean {
  return provider.issuer === '' || provider.issuer === issuer
}
