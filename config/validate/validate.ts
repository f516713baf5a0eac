import type { AuthorizationPolicyBody } from '../../crds/kinds/authorization-policy.ts'
import type { DestinationRuleBody } from '../../crds/kinds/destination-rule.ts'
import type { EnvoyFilterBody } from '../../crds/kinds/envoy-filter.ts'
import type { GatewayBody } from '../../crds/kinds/gateway.ts'
import type { PeerAuthenticationBody } from '../../crds/kinds/peer-authentication.ts'
import type { RateLimitBody } from '../../crds/kinds/rate-limit.ts'
import type { RequestAuthenticationBody } from '../../crds/kinds/request-authentication.ts'
import type { SecretBody } from '../../crds/kinds/secret.ts'
import type { ServiceEntryBody } from '../../crds/kinds/service-entry.ts'
import type { SidecarBody } from '../../crds/kinds/sidecar.ts'
import type { TelemetryBody } from '../../crds/kinds/telemetry.ts'
import type { VirtualServiceBody } from '../../crds/kinds/virtual-service.ts'
import type { WorkloadEntryBody } from '../../crds/kinds/workload-entry.ts'
import type { KindInfo } from '../../crds/kinds.ts'
import type { PlainObject } from '../parse/objects.ts'
import type { Report } from '../report.ts'
import { reportMarkedFields, withoutNulls } from './fields.ts'
import { modernize } from './modernize.ts'
import { checkAuthorizationPolicy } from './rules/authorization-policy.ts'
import { checkDestinationRule } from './rules/destination-rule.ts'
import { checkEnvoyFilter } from './rules/envoy-filter.ts'
import { checkGateway } from './rules/gateway.ts'
import { checkPeerAuthentication } from './rules/peer-authentication.ts'
import { checkRateLimit } from './rules/rate-limit.ts'
import { checkRequestAuthentication } from './rules/request-authentication.ts'
import { checkSecret } from './rules/secret.ts'
import { checkServiceEntry } from './rules/service-entry.ts'
import { checkSidecar } from './rules/sidecar.ts'
import { checkTelemetry } from './rules/telemetry.ts'
import { checkVirtualService } from './rules/virtual-service.ts'
import { checkWorkloadEntry } from './rules/workload-entry.ts'
import { checkSchema } from './schema.ts'

/**
 * Judges one object against its kind: first the schema, then, when that holds, what a schema cannot say. Returns the
 * body to use: without null fields, and with deprecated fields moved to where their successors are read.
 */
export function validateBody(info: KindInfo, body: PlainObject, report: Report): PlainObject {
  const cleaned = withoutNulls(info.schema, body) as PlainObject
  checkSchema(info, cleaned, report)
  if (report.hasErrors) return cleaned
  if (info.ours) reportMarkedFields(info.schema, cleaned, [], report)
  checkRules(info.kind, cleaned, report)
  return report.hasErrors ? cleaned : modernize(info.kind, cleaned)
}

/** The schema has been checked, so a body is what its kind's type says. */
function checkRules(kind: string, body: unknown, report: Report): void {
  switch (kind) {
    case 'VirtualService':
      checkVirtualService((body as VirtualServiceBody).spec, report)
      return
    case 'DestinationRule':
      checkDestinationRule(body as DestinationRuleBody, report)
      return
    case 'Gateway':
      checkGateway((body as GatewayBody).spec, report)
      return
    case 'Sidecar':
      checkSidecar((body as SidecarBody).spec, report)
      return
    case 'PeerAuthentication':
      checkPeerAuthentication((body as PeerAuthenticationBody).spec, report)
      return
    case 'AuthorizationPolicy':
      checkAuthorizationPolicy(body as AuthorizationPolicyBody, report)
      return
    case 'Secret':
      checkSecret(body as SecretBody, report)
      return
    case 'RequestAuthentication':
      checkRequestAuthentication((body as RequestAuthenticationBody).spec, report)
      return
    case 'ServiceEntry':
      checkServiceEntry((body as ServiceEntryBody).spec, report)
      return
    case 'EnvoyFilter':
      checkEnvoyFilter((body as EnvoyFilterBody).spec, report)
      return
    case 'RateLimit':
      checkRateLimit((body as RateLimitBody).spec, report)
      return
    case 'Telemetry':
      checkTelemetry((body as TelemetryBody).spec, report)
      return
    case 'WorkloadEntry':
      checkWorkloadEntry((body as WorkloadEntryBody).spec, ['spec'], report)
      return
  }
}
