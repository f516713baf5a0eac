import { create } from '@bufbuild/protobuf'
import type { Duration } from '@bufbuild/protobuf/wkt'
import {
  type RouteAction_HashPolicy as HashPolicy,
  RouteAction_HashPolicy_ConnectionPropertiesSchema,
  RouteAction_HashPolicy_CookieAttributeSchema,
  RouteAction_HashPolicy_CookieSchema,
  RouteAction_HashPolicy_HeaderSchema,
  RouteAction_HashPolicy_QueryParameterSchema,
  RouteAction_HashPolicySchema,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import type { ConsistentHashLB, LoadBalancerSettings } from '../../../crds/kinds/destination-rule.ts'
import type { DestinationRule } from '../../mesh/destination-rule.ts'
import { effectivePolicy } from '../../mesh/traffic-policy.ts'
import { durationOf } from '../messages.ts'

/** One place that calls are sent to, as far as their hash depends on it. */
export interface HashedDestination {
  readonly rule: DestinationRule | undefined
  readonly subset: string
  readonly port: number
}

/**
 * What routes to some destinations hash of a request: what the rule of each asks for, each thing once. Where a route has several, the
 * hash is of all of these (Istio's consistentHashToHashPolicy).
 */
export function hashPolicies(destinations: readonly HashedDestination[]): HashPolicy[] {
  const policies = new Map<string, HashPolicy>()
  for (const destination of destinations) {
    const settings = consistentHashOf(destination)
    const policy = settings && hashPolicy(settings)
    if (policy !== undefined) policies.set(JSON.stringify(policy.policySpecifier, withoutBigInts), policy)
  }
  return [...policies.values()]
}

export function consistentHashOf({ rule, subset, port }: HashedDestination): ConsistentHashLB | undefined {
  return effectivePolicy(rule, subset, port).loadBalancer?.consistentHash
}

/** Whether routes depend on a rule at all. */
export function hasConsistentHash(rule: DestinationRule | undefined): boolean {
  if (rule === undefined) return false
  const hashes = (policy: { loadBalancer?: LoadBalancerSettings } | undefined) =>
    policy?.loadBalancer?.consistentHash !== undefined
  const policies = [rule.trafficPolicy, ...rule.subsets.map(({ subset }) => subset.trafficPolicy)]
  return policies.some((policy) => hashes(policy) || policy?.portLevelSettings?.some(hashes) === true)
}

function hashPolicy(settings: ConsistentHashLB): HashPolicy | undefined {
  const { httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName } = settings
  if (httpHeaderName !== undefined) {
    const value = create(RouteAction_HashPolicy_HeaderSchema, { headerName: httpHeaderName })
    return create(RouteAction_HashPolicySchema, { policySpecifier: { case: 'header', value } })
  }
  if (httpCookie !== undefined) {
    const { name, path = '', attributes = [] } = httpCookie
    const ttl: Duration | undefined = durationOf(httpCookie.ttl)
    const value = create(RouteAction_HashPolicy_CookieSchema, {
      name,
      path,
      ...(ttl && { ttl }),
      attributes: attributes.map(({ name = '', value = '' }) =>
        create(RouteAction_HashPolicy_CookieAttributeSchema, { name, value }),
      ),
    })
    return create(RouteAction_HashPolicySchema, { policySpecifier: { case: 'cookie', value } })
  }
  if (httpQueryParameterName !== undefined) {
    const value = create(RouteAction_HashPolicy_QueryParameterSchema, { name: httpQueryParameterName })
    return create(RouteAction_HashPolicySchema, { policySpecifier: { case: 'queryParameter', value } })
  }
  if (useSourceIp !== true) return undefined
  const value = create(RouteAction_HashPolicy_ConnectionPropertiesSchema, { sourceIp: true })
  return create(RouteAction_HashPolicySchema, { policySpecifier: { case: 'connectionProperties', value } })
}

function withoutBigInts(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
