import type { Location } from './locations.ts'
import type { Provider } from './provider.ts'

/** What is asked of a request (envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement), compiled. */
export type Requirement =
  | { readonly kind: 'provider'; readonly provider: Provider; readonly audiences: readonly string[] }
  | { readonly kind: 'any'; readonly of: readonly Requirement[] }
  | { readonly kind: 'all'; readonly of: readonly Requirement[] }
  | Lenient

/** No token is good enough; with `orFailed` a bad one is, too. */
export interface Lenient {
  readonly kind: 'lenient'
  readonly orFailed: boolean
  /** Where tokens are looked for, each place with those who issue what may stand there. */
  readonly places: readonly { readonly location: Location; readonly providers: readonly Provider[] }[]
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
  return { kind: 'lenient', orFailed, places: [...places.values()] }
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
