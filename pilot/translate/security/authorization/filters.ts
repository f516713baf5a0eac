import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import { type Filter, FilterSchema } from '../../../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { RBAC } from '../../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import { ExtAuthzSchema } from '../../../../api/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import { RBACSchema } from '../../../../api/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { ExtAuthzSchema as NetworkExtAuthzSchema } from '../../../../api/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js'
import {
  type HttpFilter,
  HttpFilterSchema,
} from '../../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { RBACSchema as NetworkRbacSchema } from '../../../../api/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import type { MetadataMatcher } from '../../../../api/gen/envoy/type/matcher/v3/metadata_pb.js'
import { findAuthorizer } from '../../../mesh/extension-providers.ts'
import type { MeshOptions } from '../../../mesh/options.ts'
import { any } from '../../messages.ts'
import { httpExtAuthz, networkExtAuthz } from './ext-authz.ts'
import { metadataMatcher, prefixText, textValue } from './matchers.ts'
import { type AuthorizationPlan, denyAll, rbacOf } from './rules.ts'

/** Istio's words, by which the metadata of the filters is found. */
const HTTP_RBAC = 'envoy.filters.http.rbac'
const NETWORK_RBAC = 'envoy.filters.network.rbac'
const CUSTOM_NAME_PREFIX = 'istio-ext-authz'
const SHADOW_POLICY = 'shadow_effective_policy_id'
const UNKNOWN_PROVIDER = 'default-deny-all-due-to-bad-CUSTOM-action'

/** What one RBAC filter judges. `shadowPrefix` tells its findings from those of others. */
interface RbacRules {
  readonly rules?: RBAC
  readonly shadowRules?: RBAC
  readonly shadowPrefix: string
}

/** AUDIT, DENY and ALLOW, each in a filter of its own, for HTTP. They come after tokens have been looked at. */
export function httpAuthorization(plans: readonly AuthorizationPlan[], options: MeshOptions): HttpFilter[] {
  return ruleSets(plans, false, options).map(httpRbac)
}

/** The filters that ask external authorizers, which come before all others. */
export function httpCustomAuthorization(plans: readonly AuthorizationPlan[], options: MeshOptions): HttpFilter[] {
  return byProvider(plans).flatMap(([name, asked]) => {
    const provider = findAuthorizer(name, options)
    if (provider === undefined) return [httpRbac({ rules: denyAll(UNKNOWN_PROVIDER), shadowPrefix: '' })]
    const { shadow, enabled } = custom(name, asked, HTTP_RBAC, false, options)
    const extAuthz = httpFilter('envoy.filters.http.ext_authz', ExtAuthzSchema, httpExtAuthz(provider, enabled))
    return [httpRbac(shadow), extAuthz]
  })
}

/** All filters of a port where no HTTP is spoken. */
export function networkAuthorization(plans: readonly AuthorizationPlan[], options: MeshOptions): Filter[] {
  const asking = byProvider(plans).flatMap(([name, asked]) => {
    const provider = findAuthorizer(name, options)
    if (provider === undefined) return [networkRbac({ rules: denyAll(UNKNOWN_PROVIDER), shadowPrefix: '' })]
    const { shadow, enabled } = custom(name, asked, NETWORK_RBAC, true, options)
    const extAuthz = networkExtAuthz(provider, enabled)
    // An authorizer that cannot be asked has allowed nothing.
    if (extAuthz === undefined) return [networkRbac({ rules: shadow.shadowRules as RBAC, shadowPrefix: '' })]
    return [networkRbac(shadow), networkFilter('envoy.filters.network.ext_authz', NetworkExtAuthzSchema, extAuthz)]
  })
  return [...asking, ...ruleSets(plans, true, options).map(networkRbac)]
}

function ruleSets(plans: readonly AuthorizationPlan[], isTcp: boolean, options: MeshOptions): RbacRules[] {
  return (['AUDIT', 'DENY', 'ALLOW'] as const).flatMap((action) => {
    const ofAction = plans.filter(({ spec }) => (spec.action ?? 'ALLOW') === action)
    if (ofAction.length === 0) return []
    const isDryRun = (plan: AuthorizationPlan) => plan.isDryRun && action !== 'AUDIT'
    const inForce = ofAction.filter((plan) => !isDryRun(plan))
    const dryRun = ofAction.filter(isDryRun)
    const make = (some: readonly AuthorizationPlan[]) => rbacOf(some, action, { isTcp, mesh: options })
    return [
      {
        ...(inForce.length > 0 && { rules: make(inForce) }),
        ...(dryRun.length > 0 && { shadowRules: make(dryRun) }),
        shadowPrefix: dryRun.length > 0 ? `istio_dry_run_${action.toLowerCase()}_` : '',
      },
    ]
  })
}

/** The CUSTOM policies of each provider, by its name. */
function byProvider(plans: readonly AuthorizationPlan[]): [string, AuthorizationPlan[]][] {
  const groups = new Map<string, AuthorizationPlan[]>()
  for (const plan of plans) {
    // Without rules a policy never applies.
    if (plan.spec.action !== 'CUSTOM' || (plan.spec.rules ?? []).length === 0) continue
    const name = plan.spec.provider?.name ?? ''
    groups.set(name, [...(groups.get(name) ?? []), plan])
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Shadow rules that find the calls to ask about, and the condition by which the filter after them knows these. */
function custom(
  provider: string,
  plans: readonly AuthorizationPlan[],
  rbacFilter: string,
  isTcp: boolean,
  mesh: MeshOptions,
): { shadow: RbacRules; enabled: MetadataMatcher } {
  const namePrefix = `${CUSTOM_NAME_PREFIX}-${provider}-`
  const shadowPrefix = `istio_ext_authz_${provider}_`
  const shadow = { shadowRules: rbacOf(plans, 'CUSTOM', { isTcp, mesh, namePrefix }), shadowPrefix }
  const value = textValue(prefixText(namePrefix))
  return { shadow, enabled: metadataMatcher(rbacFilter, [shadowPrefix + SHADOW_POLICY], value) }
}

function httpRbac({ rules, shadowRules, shadowPrefix }: RbacRules): HttpFilter {
  const config = create(RBACSchema, {
    ...(rules && { rules }),
    ...(shadowRules && { shadowRules }),
    shadowRulesStatPrefix: shadowPrefix,
  })
  return httpFilter(HTTP_RBAC, RBACSchema, config)
}

function networkRbac({ rules, shadowRules, shadowPrefix }: RbacRules): Filter {
  const config = create(NetworkRbacSchema, {
    ...(rules && { rules }),
    ...(shadowRules && { shadowRules }),
    shadowRulesStatPrefix: shadowPrefix,
    statPrefix: 'tcp.',
  })
  return networkFilter(NETWORK_RBAC, NetworkRbacSchema, config)
}

function httpFilter<Desc extends DescMessage>(name: string, schema: Desc, config: MessageShape<Desc>): HttpFilter {
  return create(HttpFilterSchema, { name, configType: { case: 'typedConfig', value: any(schema, config) } })
}

function networkFilter<Desc extends DescMessage>(name: string, schema: Desc, config: MessageShape<Desc>): Filter {
  return create(FilterSchema, { name, configType: { case: 'typedConfig', value: any(schema, config) } })
}
