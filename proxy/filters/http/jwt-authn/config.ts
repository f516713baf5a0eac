import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import {
  JwtAuthenticationSchema,
  type JwtProvider,
  type JwtRequirement,
  PerRouteConfigSchema,
  type RemoteJwks as RemoteJwksProto,
  type RequirementRule,
} from '../../../../api/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { durationMs } from '../../../plan/compile/common.ts'
import { compileDataSource } from '../../../plan/compile/data-source.ts'
import { compileRouteMatch } from '../../../plan/compile/route-match.ts'
import type { RouteMatchPlan } from '../../../plan/plan.ts'
import { refuse } from '../../../plan/plan-error.ts'
import { fieldName } from '../../../plan/wire-text.ts'
import { KeySet } from './key-set.ts'
import { DEFAULT_LOCATIONS, type Location, sortLocations } from './locations.ts'
import { type Provider, plainAudience } from './provider.ts'
import { RemoteJwks } from './remote-jwks.ts'
import { lenient, providersOf, type Requirement } from './requirement.ts'
import { VerifiedTokens } from './verified-tokens.ts'

export interface JwtConfig {
  readonly rules: readonly { readonly match: RouteMatchPlan; readonly requirement: Requirement | undefined }[]
  /** By the names that routes use. */
  readonly requirements: ReadonlyMap<string, Requirement>
  readonly remotes: readonly RemoteJwks[]
  /** Lower-case names of the fields in which something of a token is passed on. */
  readonly outputHeaders: readonly string[]
  readonly bypassesPreflight: boolean
  /** A refusal says nothing of its reason. */
  readonly stripsFailure: boolean
}

/** Of a route: no token is asked for, or what the filter's configuration has under a name. */
export type JwtRouteConfig =
  | { readonly disabled: true }
  | { readonly disabled: false; readonly requirementName: string }

const DEFAULT_CLOCK_SKEW_SECONDS = 60
const DEFAULT_CACHE_MS = 600_000
const DEFAULT_FETCH_TIMEOUT_MS = 1000
/** Tokens that are remembered of one provider, unless jwt_cache_config says how many. */
const DEFAULT_CACHED_TOKENS = 500
const MAX_CACHED_TOKENS = 10_000

/** envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication. Throws a PlanError that names the field. */
export function compileJwtAuthn(any: Any, path: string): JwtConfig {
  const config = anyUnpack(any, JwtAuthenticationSchema)
  if (config === undefined) return refuse(path, 'is not a JwtAuthentication')
  if (config.filterStateRules !== undefined) refuse(`${path}.filter_state_rules`, 'not supported')
  const providers = new Map<string, Provider>()
  // A map has no order of its own; Envoy finds providers by issuer in that of their names.
  for (const name of Object.keys(config.providers).sort()) {
    providers.set(name, compileProvider(name, config.providers[name] as JwtProvider, `${path}.providers[${name}]`))
  }
  const requirements = new Map<string, Requirement>()
  for (const [name, requirement] of Object.entries(config.requirementMap)) {
    requirements.set(name, compileRequirement(requirement, providers, `${path}.requirement_map[${name}]`))
  }
  return {
    rules: config.rules.map(({ match, requirementType }, i) => {
      const at = `${path}.rules[${i}]`
      return { match: compileRouteMatch(match, `${at}.match`), requirement: requirementOf(requirementType, at) }
    }),
    requirements,
    remotes: [...providers.values()].flatMap(({ remote }) => remote ?? []),
    outputHeaders: [...new Set([...providers.values()].flatMap(({ outputHeaders }) => outputHeaders))],
    bypassesPreflight: config.bypassCorsPreflight,
    stripsFailure: config.stripFailureResponse,
  }

  function requirementOf(type: RequirementRule['requirementType'], at: string): Requirement | undefined {
    switch (type.case) {
      case 'requires':
        return isEmpty(type.value) ? undefined : compileRequirement(type.value, providers, `${at}.requires`)
      case 'requirementName':
        return requirements.get(type.value) ?? refuse(`${at}.requirement_name`, `there is no ${type.value}`)
      default:
        return undefined
    }
  }
}

function isEmpty(requirement: JwtRequirement): boolean {
  return requirement.requiresType.case === undefined
}

export function compileJwtRoute(any: Any, path: string): JwtRouteConfig {
  const config = anyUnpack(any, PerRouteConfigSchema)
  if (config === undefined) return refuse(path, 'is not a PerRouteConfig')
  const { requirementSpecifier: specifier } = config
  if (specifier.case === 'disabled' && specifier.value) return { disabled: true }
  if (specifier.case === 'requirementName') {
    return { disabled: false, requirementName: specifier.value }
  }
  return refuse(path, 'needs disabled: true or a requirement_name')
}

function compileProvider(name: string, proto: JwtProvider, path: string): Provider {
  for (const [field, isSet] of [
    ['subjects', proto.subjects !== undefined],
    ['require_expiration', proto.requireExpiration],
    ['max_lifetime', proto.maxLifetime !== undefined],
    ['failed_status_in_metadata', proto.failedStatusInMetadata !== ''],
  ] as const) {
    if (isSet) refuse(`${path}.${field}`, 'not supported')
  }
  const source = proto.jwksSourceSpecifier
  if (source.case === undefined) refuse(path, 'needs remote_jwks or local_jwks')
  const text = source.case === 'localJwks' ? compileDataSource(source.value, `${path}.local_jwks`) : undefined
  const cached = proto.jwtCacheConfig?.jwtCacheSize || DEFAULT_CACHED_TOKENS
  if (cached > MAX_CACHED_TOKENS) {
    refuse(`${path}.jwt_cache_config.jwt_cache_size`, `at most ${MAX_CACHED_TOKENS}`)
  }
  const payloadHeader = headerName(proto.forwardPayloadHeader, `${path}.forward_payload_header`)
  const claimHeaders = proto.claimToHeaders.map(({ headerName: header, claimName }, i) => ({
    header: headerName(header, `${path}.claim_to_headers[${i}].header_name`),
    path: claimName.split('.'),
  }))
  return {
    name,
    issuer: proto.issuer,
    audiences: proto.audiences.map(plainAudience),
    locations: compileLocations(proto, path),
    // Keys that cannot be read are as none: every token fails, as in Envoy.
    localKeys: text && KeySet.parse(text.toString('utf8')),
    remote: source.case === 'remoteJwks' ? compileRemote(source.value, `${path}.remote_jwks`) : undefined,
    forward: proto.forward,
    payloadHeader,
    padPayloadHeader: proto.padForwardPayloadHeader,
    claimHeaders,
    outputHeaders: [payloadHeader, ...claimHeaders.map(({ header }) => header)].filter((header) => header !== ''),
    payloadInMetadata: proto.payloadInMetadata,
    headerInMetadata: proto.headerInMetadata,
    spaceDelimitedClaims: proto.normalizePayloadInMetadata?.spaceDelimitedClaims ?? [],
    clockSkewSeconds: proto.clockSkewSeconds || DEFAULT_CLOCK_SKEW_SECONDS,
    clearsRoute: proto.clearRouteCache,
    verified: new VerifiedTokens(cached),
  }
}

function headerName(name: string, path: string): string {
  return name === '' ? '' : fieldName(name, path).toLowerCase()
}

function compileLocations(proto: JwtProvider, path: string): readonly Location[] {
  const locations: Location[] = [
    ...proto.fromHeaders.map(
      ({ name, valuePrefix }, i): Location => ({
        kind: 'header',
        name: fieldName(name, `${path}.from_headers[${i}].name`).toLowerCase(),
        prefix: valuePrefix,
      }),
    ),
    ...proto.fromParams.map((name): Location => ({ kind: 'param', name })),
    ...proto.fromCookies.map((name): Location => ({ kind: 'cookie', name })),
  ]
  return sortLocations(locations.length === 0 ? DEFAULT_LOCATIONS : locations)
}

function compileRemote({ httpUri, cacheDuration }: RemoteJwksProto, path: string): RemoteJwks {
  if (httpUri === undefined) return refuse(`${path}.http_uri`, 'is needed')
  let url: URL
  try {
    url = new URL(httpUri.uri)
  } catch {
    return refuse(`${path}.http_uri.uri`, `${JSON.stringify(httpUri.uri)} is no URI`)
  }
  return new RemoteJwks({
    cluster: httpUri.httpUpstreamType.value ?? refuse(`${path}.http_uri.cluster`, 'is needed'),
    authority: url.host,
    path: url.pathname + url.search,
    timeoutMs: durationMs(httpUri.timeout, DEFAULT_FETCH_TIMEOUT_MS),
    cacheMs: durationMs(cacheDuration, DEFAULT_CACHE_MS),
  })
}

function compileRequirement(
  { requiresType: type }: JwtRequirement,
  providers: ReadonlyMap<string, Provider>,
  path: string,
): Requirement {
  const find = (name: string, at: string) => providers.get(name) ?? refuse(at, `there is no provider ${name}`)
  switch (type.case) {
    case 'providerName': {
      const provider = find(type.value, `${path}.provider_name`)
      return { kind: 'provider', provider, audiences: provider.audiences }
    }
    case 'providerAndAudiences': {
      const provider = find(type.value.providerName, `${path}.provider_and_audiences.provider_name`)
      return { kind: 'provider', provider, audiences: type.value.audiences.map(plainAudience) }
    }
    case 'requiresAny':
      return compileAny(type.value.requirements, providers, `${path}.requires_any`)
    case 'requiresAll':
      return {
        kind: 'all',
        of: type.value.requirements.map((one, i) => compileRequirement(one, providers, `${path}.requires_all[${i}]`)),
      }
    case 'allowMissing':
    case 'allowMissingOrFailed':
      return lenient(type.case === 'allowMissingOrFailed', [...providers.values()])
    default:
      return refuse(path, 'a requirement needs a type')
  }
}

/** What lets pass stands last, whatever its place, and looks only where the others look. */
function compileAny(
  requirements: readonly JwtRequirement[],
  providers: ReadonlyMap<string, Provider>,
  path: string,
): Requirement {
  const isLenient = ({ requiresType }: JwtRequirement) =>
    requiresType.case === 'allowMissing' || requiresType.case === 'allowMissingOrFailed'
  const strict = requirements.flatMap((one, i) =>
    isLenient(one) ? [] : [compileRequirement(one, providers, `${path}[${i}]`)],
  )
  const lax = requirements.filter(isLenient)
  if (lax.length === 0) return { kind: 'any', of: strict }
  const used = strict.length === 0 ? [...providers.values()] : [...new Set(strict.flatMap(providersOf))]
  const orFailed = lax.some(({ requiresType }) => requiresType.case === 'allowMissingOrFailed')
  return { kind: 'any', of: [...strict, lenient(orFailed, used)] }
}
