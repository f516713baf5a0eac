import type { Location } from './locations.ts'
import { outputHeadersOf, type Provider } from './provider.ts'

/** What is asked of a request (envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement), compiled. */
export type Requirement =
  | OfProvider
  | { readonly kind: 'any'; readonly of: readonly Requirement[] }
  | { readonly kind: 'all'; readonly of: readonly Requirement[] }
  | Lenient

/** A token of one provider. */
export interface OfProvider {
  readonly kind: 'provider'
  readonly provider: Provider
  readonly audiences: readonly string[]
  /** What was passed on of tokens in these fields goes when this is asked. */
  readonly outputHeaders: readonly string[]
}

/** No token is good enough; with `orFailed` a bad one is, too. */
export interface Lenient {
  readonly kind: 'lenient'
  readonly orFailed: boolean
  /** Where tokens are looked for, each place with those who issue what may stand there. */
  readonly places: readonly { readonly location: Location; readonly providers: readonly Provider[] }[]
  /** As of a provider's. */
  readonly outputHeaders: readonly string[]
}

export function ofProvider(provider: Provider, audiences: readonly string[]): OfProvider {
  return { kind: 'provider', provider, audiences, outputHeaders: outputHeadersOf(provider) }
}

/** The lenient requirement beside these providers. */
export function lenient(orFailed: boolean, providers: readonly Provider[]): Lenient {
  const places = new Map<string, { location: Location; providers: Provider[] }>()
  for (const provider of providers) {
    for (const location of provider.locations) {
      const key = JSON.stringify(location)
      const place = places.get(key) ?? { location, providers: [] }
      place.providers.push(provider)
      places.set(key, place)
    }
  }
  const outputHeaders = [...new Set(providers.flatMap(outputHeadersOf))]
  return { kind: 'lenient', orFailed, places: [...places.values()], outputHeaders }
}

/** Every provider that a requirement may ask, each once. */
export function providersOf(requirement: Requirement): Provider[] {
  switch (requirement.kind) {
    case 'provider':
      return [requirement.provider]
    case 'lenient':
      return [...new Set(requirement.places.flatMap(({ providers }) => providers))]
    default:
      return [...new Set(requirement.of.flatMap(providersOf))]
  }
}
