import { create } from '@bufbuild/protobuf'
import { EmptySchema } from '@bufbuild/protobuf/wkt'
import { DataSourceSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import { RouteMatchSchema } from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import {
  JwtAuthenticationSchema,
  JwtClaimToHeaderSchema,
  JwtHeaderSchema,
  type JwtProvider,
  JwtProvider_NormalizePayloadSchema,
  JwtProviderSchema,
  type JwtRequirement,
  JwtRequirementAndListSchema,
  JwtRequirementOrListSchema,
  JwtRequirementSchema,
  RequirementRuleSchema,
} from '../../../api/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import {
  type HttpFilter,
  HttpFilterSchema,
} from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { JWTRule } from '../../../crds/kinds/request-authentication.ts'
import type { HttpRole } from '../listener/plan.ts'
import { any } from '../messages.ts'
import type { SecurityPlan } from './plan.ts'

export const JWT_AUTHN_FILTER = 'envoy.filters.http.jwt_authn'
/** Under which key of the filter's metadata the claims of an accepted token are. */
export const JWT_PAYLOAD = 'payload'

/** Lists that RFC 8693 and others write as one text. */
const SPACE_DELIMITED = ['scope', 'permission']

/** The filter that checks tokens, if any are (Istio's convertToEnvoyJwtConfig). */
export function requestAuthenticationFilters(plan: SecurityPlan, role: HttpRole): HttpFilter[] {
  const rules = plan.requestAuthentications
    .flatMap(({ spec }) => spec.jwtRules ?? [])
    .map((rule, i) => ({ rule, keys: plan.keys[i] ?? '' }))
    .sort((a, b) => compare(a.rule.issuer ?? '', b.rule.issuer ?? ''))
  if (rules.length === 0) return []
  const providers: { [name: string]: JwtProvider } = {}
  for (const [i, { rule, keys }] of rules.entries()) providers[providerName(i)] = provider(rule, keys, role)
  const config = create(JwtAuthenticationSchema, {
    providers,
    rules: [
      create(RequirementRuleSchema, {
        match: create(RouteMatchSchema, { pathSpecifier: { case: 'prefix', value: '/' } }),
        requirementType: { case: 'requires', value: requirement(rules.length) },
      }),
    ],
    bypassCorsPreflight: true,
  })
  const typedConfig = any(JwtAuthenticationSchema, config)
  return [create(HttpFilterSchema, { name: JWT_AUTHN_FILTER, configType: { case: 'typedConfig', value: typedConfig } })]
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const providerName = (i: number) => `origins-${i}`

function provider(rule: JWTRule, keys: string, role: HttpRole): JwtProvider {
  return create(JwtProviderSchema, {
    issuer: rule.issuer ?? '',
    audiences: [...(rule.audiences ?? [])],
    jwksSourceSpecifier: {
      case: 'localJwks',
      value: create(DataSourceSchema, { specifier: { case: 'inlineString', value: keys } }),
    },
    forward: rule.forwardOriginalToken ?? false,
    fromHeaders: (rule.fromHeaders ?? []).map(({ name, prefix = '' }) =>
      create(JwtHeaderSchema, { name, valuePrefix: prefix }),
    ),
    fromParams: [...(rule.fromParams ?? [])],
    fromCookies: [...(rule.fromCookies ?? [])],
    forwardPayloadHeader: rule.outputPayloadToHeader ?? '',
    claimToHeaders: (rule.outputClaimToHeaders ?? []).map(({ header, claim }) =>
      create(JwtClaimToHeaderSchema, { headerName: header, claimName: claim }),
    ),
    payloadInMetadata: JWT_PAYLOAD,
    normalizePayloadInMetadata: create(JwtProvider_NormalizePayloadSchema, {
      spaceDelimitedClaims: [...new Set([...SPACE_DELIMITED, ...(rule.spaceDelimitedClaims ?? [])])],
    }),
    // Routes of a gateway may ask for claims, which nobody knew when the route was looked up.
    clearRouteCache: role === 'gateway',
  })
}

/**
 * A token is good for any provider, or there is none. With several providers, each of them finds no token of its own or a
 * good one; or one of them finds a good one, where several look in the same place.
 */
function requirement(count: number): JwtRequirement {
  const names = Array.from({ length: count }, (_, i) => ofProvider(i))
  const each = names.map((name) => anyOf([name, allowMissing()]))
  const [only] = each
  if (count === 1 && only !== undefined) return only
  const all = create(JwtRequirementAndListSchema, { requirements: each })
  return anyOf([...names, create(JwtRequirementSchema, { requiresType: { case: 'requiresAll', value: all } })])
}

function ofProvider(i: number): JwtRequirement {
  return create(JwtRequirementSchema, { requiresType: { case: 'providerName', value: providerName(i) } })
}

function allowMissing(): JwtRequirement {
  return create(JwtRequirementSchema, { requiresType: { case: 'allowMissing', value: create(EmptySchema) } })
}

function anyOf(requirements: JwtRequirement[]): JwtRequirement {
  const value = create(JwtRequirementOrListSchema, { requirements })
  return create(JwtRequirementSchema, { requiresType: { case: 'requiresAny', value } })
}
