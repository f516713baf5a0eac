import type { GrpcService } from '../../../api/gen/envoy/config/core/v3/grpc_service_pb.js'
import { durationMs } from '../../plan/compile/common.ts'
import { refuse } from '../../plan/plan-error.ts'
import { fieldName, wireText } from '../../plan/wire-text.ts'

/** Where and how the service envoy.service.auth.v3.Authorization is called. */
export interface GrpcServicePlan {
  readonly kind: 'grpc'
  readonly cluster: string
  readonly authority: string
  readonly timeoutMs: number
  readonly metadata: readonly (readonly [name: string, value: string])[]
}

/** Envoy's, of ext_authz. */
export const DEFAULT_TIMEOUT_MS = 200
const AUTHORITY_FALLBACK = 'ext-authz'

/** envoy.config.core.v3.GrpcService. Throws a PlanError that names the field. */
export function compileGrpcService(service: GrpcService | undefined, path: string): GrpcServicePlan {
  if (service === undefined) return refuse(path, 'is needed')
  const { targetSpecifier, timeout, initialMetadata, retryPolicy } = service
  if (targetSpecifier.case !== 'envoyGrpc') return refuse(path, 'only envoy_grpc is supported')
  if (retryPolicy !== undefined) refuse(`${path}.retry_policy`, 'not supported')
  const { clusterName, authority } = targetSpecifier.value
  return {
    kind: 'grpc',
    cluster: clusterName,
    authority: authority || authorityOf(clusterName),
    timeoutMs: durationMs(timeout, DEFAULT_TIMEOUT_MS),
    metadata: initialMetadata.map(({ key, value }, i) => headerField(key, value, `${path}.initial_metadata[${i}]`)),
  }
}

/** A cluster's name may hold what no host can. */
function authorityOf(cluster: string): string {
  return /^[A-Za-z0-9.-]+$/.test(cluster) ? cluster : AUTHORITY_FALLBACK
}

/** A field as it goes out: its name lower-case. */
export function headerField(name: string, value: string, path: string): readonly [string, string] {
  return [fieldName(name, path).toLowerCase(), wireText(value, path)]
}
