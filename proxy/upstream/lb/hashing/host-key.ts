import { canonicalIp } from '../../../../lib/ip.ts'
import type { EndpointPlan } from '../../../plan/plan.ts'

/** What is hashed of a host: `hash_key` of its metadata, or its name where names are to be used, or its address as Envoy writes it. */
export function hostHashKey(plan: EndpointPlan, usesHostname: boolean): string {
  if (plan.hashKey !== '') return plan.hashKey
  if (usesHostname && plan.hostname !== '') return plan.hostname
  if (plan.unixPath !== '') return plan.unixPath
  const address = canonicalIp(plan.address) || plan.address
  return address.includes(':') ? `[${address}]:${plan.port}` : `${address}:${plan.port}`
}
