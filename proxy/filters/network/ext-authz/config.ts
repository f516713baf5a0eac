import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { ApiVersion } from '../../../../api/gen/envoy/config/core/v3/config_source_pb.js'
import { ExtAuthzSchema } from '../../../../api/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js'
import { compileMetadataMatcher } from '../../../plan/compile/metadata-matcher.ts'
import type { MetadataMatcher } from '../../../plan/metadata-matcher.ts'
import { refuse } from '../../../plan/plan-error.ts'
import { compileGrpcService, type GrpcServicePlan } from '../../ext-authz/grpc-service.ts'

export const NETWORK_EXT_AUTHZ = ExtAuthzSchema.typeName

export interface NetworkExtAuthzPlan {
  readonly kind: 'ext_authz'
  readonly service: GrpcServicePlan
  readonly failureModeAllow: boolean
  readonly includePeerCertificate: boolean
  /** Which connections are asked about; undefined for all. */
  readonly enabledBy: MetadataMatcher | undefined
  /** Before the names of the counters. */
  readonly statPrefix: string
}

/** envoy.extensions.filters.network.ext_authz.v3.ExtAuthz. Throws a PlanError that names the field. */
export function compileNetworkExtAuthz(any: Any, path: string): NetworkExtAuthzPlan {
  const config = anyUnpack(any, ExtAuthzSchema)
  if (config === undefined) return refuse(path, 'is not an ExtAuthz')
  if (config.includeTlsSession) refuse(`${path}.include_tls_session`, 'not supported')
  if (config.bootstrapMetadataLabelsKey !== '') refuse(`${path}.bootstrap_metadata_labels_key`, 'not supported')
  if (config.transportApiVersion === ApiVersion.V2) refuse(`${path}.transport_api_version`, 'only V3 is spoken')
  return {
    kind: 'ext_authz',
    service: compileGrpcService(config.grpcService, `${path}.grpc_service`),
    failureModeAllow: config.failureModeAllow,
    includePeerCertificate: config.includePeerCertificate,
    enabledBy:
      config.filterEnabledMetadata &&
      compileMetadataMatcher(config.filterEnabledMetadata, `${path}.filter_enabled_metadata`),
    statPrefix: `ext_authz.${config.statPrefix}`,
  }
}
