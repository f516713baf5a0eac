import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import type { Decision } from '../../../decide/decision.ts'
import { setMetadata } from '../../../decide/metadata.ts'
import type { RequestHead } from '../../../stream/message.ts'
import { type FoundToken, removeToken } from './locations.ts'
import { keysOf, type Provider, takesIssuer, tokensAt, wrongClaims } from './provider.ts'
import type { Lenient, Requirement } from './requirement.ts'
import { JWT_STATUS, type JwtStatus } from './status.ts'
import { type Jwt, own, parseJwt } from './token.ts'

export const JWT_AUTHN = 'envoy.filters.http.jwt_authn'

/** What was found out of signatures for one call, by signatureKey(). */
export type Signatures = Map<string, JwtStatus>

/** A signature that nobody has looked at yet. */
export interface OpenSignature {
  readonly provider: Provider
  readonly jwt: Jwt
}

export function signatureKey(provider: Provider, token: string): string {
  return `${provider.name} ${token}`
}

/** The signatures that judging a requirement may have to know, and that are not known yet. */
export function openSignatures(requirement: Requirement, head: RequestHead, nowSeconds: number): OpenSignature[] {
  const open = new Map<string, OpenSignature>()
  collectOpen(requirement, head, nowSeconds, open)
  return [...open.values()]
}

function collectOpen(
  requirement: Requirement,
  head: RequestHead,
  nowSeconds: number,
  open: Map<string, OpenSignature>,
): void {
  const look = (text: string, provider: Provider, audiences: readonly string[]) => {
    if (provider.verified.get(text, keysOf(provider)) !== undefined) return
    const jwt = parseJwt(text)
    if (typeof jwt === 'string' || jwt.hasBlanks || !takesIssuer(provider, jwt.issuer)) return
    if (wrongClaims(jwt, provider, audiences, nowSeconds) !== undefined) return
    const keys = keysOf(provider)
    // Keys that are there and have none that fits need no check; those of a server may have changed.
    if (provider.remote === undefined && keys?.hasCandidate(jwt) !== true) return
    open.set(signatureKey(provider, text), { provider, jwt })
  }
  switch (requirement.kind) {
    case 'provider': {
      const { provider, audiences } = requirement
      for (const { text } of tokensAt(provider.locations, head)) look(text, provider, audiences)
      return
    }
    case 'lenient':
      for (const { location, providers } of requirement.places) {
        for (const { text } of tokensAt([location], head)) {
          for (const provider of providers) look(text, provider, provider.audiences)
        }
      }
      return
    default:
      for (const one of requirement.of) collectOpen(one, head, nowSeconds, open)
  }
}

/**
 * Judges a request whose signatures are known, as Envoy's verifiers do, one after the other. A token that is accepted leaves
 * its traces in the request at once, and what is asked next sees them.
 */
export class Evaluation {
  readonly #head: RequestHead
  readonly #decision: Decision
  readonly #signatures: Signatures | undefined
  readonly #nowSeconds: number
  /** The token that was accepted last. */
  accepted: Jwt | undefined

  constructor(head: RequestHead, decision: Decision, signatures: Signatures | undefined, nowSeconds: number) {
    this.#head = head
    this.#decision = decision
    this.#signatures = signatures
    this.#nowSeconds = nowSeconds
  }

  run(requirement: Requirement): JwtStatus {
    switch (requirement.kind) {
      case 'provider':
        return this.#provider(requirement.provider, requirement.audiences)
      case 'lenient':
        return this.#lenient(requirement)
      case 'any':
        return this.#any(requirement.of)
      default:
        for (const one of requirement.of) {
          const status = this.run(one)
          if (status !== JWT_STATUS.ok) return status
        }
        return JWT_STATUS.ok
    }
  }

  #any(requirements: readonly Requirement[]): JwtStatus {
    let failure: JwtStatus = JWT_STATUS.missing
    for (const one of requirements) {
      const status = this.run(one)
      if (status === JWT_STATUS.ok) {
        // A bad token that stood beside an accepted one is gone with it, but it was not missing.
        const isExcused = one.kind === 'lenient' && !one.orFailed && failure !== JWT_STATUS.missing
        if (!isExcused || this.#hasToken(one)) return status
      } else if (tellsAsMuch(status, failure)) failure = status
    }
    return failure
  }

  #hasToken({ places }: Lenient): boolean {
    return places.some(({ location }) => tokensAt([location], this.#head).length > 0)
  }

  #provider(provider: Provider, audiences: readonly string[]): JwtStatus {
    this.#clear(provider)
    // A token that was accepted may be gone by now; what stood beside it is judged with it.
    const tokens = tokensAt(provider.locations, this.#head)
    if (tokens.length === 0) return JWT_STATUS.missing
    // All must be good. Envoy begins with the last.
    for (const token of tokens.reverse()) {
      const status = this.#token(token, [provider], audiences)
      if (status !== JWT_STATUS.ok) return status
    }
    return JWT_STATUS.ok
  }

  #lenient({ places, orFailed }: Lenient): JwtStatus {
    for (const { providers } of places) for (const provider of providers) this.#clear(provider)
    const found = places.flatMap(({ location, providers }) =>
      tokensAt([location], this.#head).map((token) => ({ token, providers })),
    )
    for (const { token, providers } of found.reverse()) {
      const status = this.#token(token, providers, undefined)
      if (status !== JWT_STATUS.ok && !orFailed) return status
    }
    return JWT_STATUS.ok
  }

  /** As Envoy does whenever it asks: what another provider has passed on in fields of the same names goes, too. */
  #clear({ outputHeaders }: Provider): void {
    for (const header of outputHeaders) this.#head.remove(header)
  }

  /** `audiences` undefined asks for those of the provider that has issued it. */
  #token(
    { text, location }: FoundToken,
    providers: readonly Provider[],
    audiences: readonly string[] | undefined,
  ): JwtStatus {
    const known = this.#verified(text, providers)
    const jwt = known ?? parseJwt(text)
    if (typeof jwt === 'string') return jwt
    const provider = providers.find((one) => one.issuer === jwt.issuer) ?? providers.find((one) => one.issuer === '')
    if (provider === undefined) return JWT_STATUS.unknownIssuer
    const wrong = wrongClaims(jwt, provider, audiences ?? provider.audiences, this.#nowSeconds)
    if (wrong !== undefined) return wrong
    const status = known === undefined ? this.#signature(jwt, provider) : JWT_STATUS.ok
    if (status === JWT_STATUS.ok) this.#accept(jwt, provider, location)
    return status
  }

  #verified(text: string, providers: readonly Provider[]): Jwt | undefined {
    for (const provider of providers) {
      const jwt = provider.verified.get(text, keysOf(provider))
      if (jwt !== undefined) return jwt
    }
    return undefined
  }

  #signature(jwt: Jwt, provider: Provider): JwtStatus {
    const known = this.#signatures?.get(signatureKey(provider, jwt.text))
    if (known !== undefined) return known
    const keys = keysOf(provider)
    if (keys === undefined) return provider.remote === undefined ? JWT_STATUS.noValidKeys : JWT_STATUS.fetchFailed
    // Whatever nobody has checked is not good.
    return keys.hasCandidate(jwt) ? JWT_STATUS.verificationFailed : JWT_STATUS.noMatchingKey
  }

  #accept(jwt: Jwt, provider: Provider, location: FoundToken['location']): void {
    const head = this.#head
    this.accepted = jwt
    if (provider.payloadHeader !== '') {
      head.append(provider.payloadHeader, provider.padPayloadHeader ? padded(jwt.payloadText) : jwt.payloadText)
    }
    for (const { header, path } of provider.claimHeaders) {
      const value = headerValue(claimAt(jwt.payload, path))
      if (value !== undefined) head.append(header, value)
    }
    if (!provider.forward) removeToken(head, location)
    if (provider.headerInMetadata !== '') {
      setMetadata(this.#decision, JWT_AUTHN, { [provider.headerInMetadata]: jwt.header })
    }
    if (provider.payloadInMetadata !== '') {
      const payload = withLists(jwt.payload, provider.spaceDelimitedClaims)
      setMetadata(this.#decision, JWT_AUTHN, { [provider.payloadInMetadata]: payload })
    }
    if (provider.clearsRoute) this.#decision.clearsRoute = true
  }
}

/** That there is no token for one provider says least, and that there is one of somebody else less than what is wrong with one. */
function tellsAsMuch(status: JwtStatus, before: JwtStatus): boolean {
  const rank = (one: JwtStatus) => (one === JWT_STATUS.missing ? 0 : one === JWT_STATUS.unknownIssuer ? 1 : 2)
  return rank(status) >= rank(before)
}

function padded(base64: string): string {
  return base64.padEnd(Math.ceil(base64.length / 4) * 4, '=')
}

function claimAt(payload: JsonObject, path: readonly string[]): JsonValue | undefined {
  let at: JsonValue | undefined = payload
  for (const name of path) {
    if (typeof at !== 'object' || at === null || Array.isArray(at)) return undefined
    at = own(at, name)
  }
  return at
}

/** A line end in a claim would begin another field. */
const UNFIT = /[\0-\x08\x0a-\x1f\x7f]/

/** A claim as the value of a field; what is neither text, number nor boolean as the base64 of its JSON. undefined for nothing. */
function headerValue(claim: JsonValue | undefined): string | undefined {
  if (claim === undefined || claim === null || claim === '') return undefined
  if (typeof claim === 'object') return Buffer.from(JSON.stringify(claim)).toString('base64')
  const text = typeof claim === 'number' ? numberText(claim) : String(claim)
  return UNFIT.test(text) ? undefined : Buffer.from(text, 'utf8').toString('latin1')
}

/** As Envoy writes numbers: those that are not whole, negative, or too large for 64 bits, with six digits. */
function numberText(number: number): string {
  if (!Number.isInteger(number)) return number.toFixed(6)
  return number >= 0 && number < 2 ** 63 ? String(BigInt(number)) : `${BigInt(number)}.000000`
}

function withLists(payload: JsonObject, claims: readonly string[]): JsonObject {
  if (!claims.some((claim) => typeof own(payload, claim) === 'string')) return payload
  const changed = { ...payload }
  for (const claim of claims) {
    const value = own(payload, claim)
    if (typeof value === 'string') changed[claim] = value.split(' ').filter((part) => part !== '')
  }
  return changed
}
