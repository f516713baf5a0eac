import { clone } from '@bufbuild/protobuf'
import { VHDS_CLIENT_FEATURE } from '../../api/client-features.ts'
import type { Bootstrap } from '../../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import { NodeSchema } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { ApiConfigSource_ApiType as ApiType } from '../../api/gen/envoy/config/core/v3/config_source_pb.js'
import { MeshError } from '../../lib/errors.ts'
import type { ManagementServer } from '../xds/transport.ts'

const USER_AGENT = 'lateen'

/** Where `dynamic_resources.ads_config` leads, and the static cluster that says so. undefined without dynamic resources. */
export function managementServer(
  bootstrap: Bootstrap,
  file: string,
): { server: ManagementServer; cluster: string } | undefined {
  const dynamic = bootstrap.dynamicResources
  if (dynamic === undefined) return undefined
  const invalid = (path: string, reason: string) =>
    new MeshError('BOOTSTRAP_INVALID', `${file}: dynamic_resources.${path}: ${reason}`, { source: 'config' })
  const ads = dynamic.adsConfig
  if (ads === undefined) throw invalid('ads_config', 'is needed: only aggregated discovery is supported')
  if (ads.apiType !== ApiType.GRPC && ads.apiType !== ApiType.DELTA_GRPC) {
    throw invalid('ads_config.api_type', 'must be GRPC or DELTA_GRPC')
  }
  if (bootstrap.node === undefined || bootstrap.node.id === '') {
    throw new MeshError('BOOTSTRAP_INVALID', `${file}: node.id: is needed to ask for configuration`, {
      source: 'config',
    })
  }
  const target = ads.grpcServices[0]?.targetSpecifier
  const service = 'aggregated'
  const useDelta = ads.apiType === ApiType.DELTA_GRPC
  const node = clone(NodeSchema, bootstrap.node)
  node.userAgentName = USER_AGENT
  if (useDelta) node.clientFeatures.push(VHDS_CLIENT_FEATURE)
  if (target?.case === 'googleGrpc')
    return { server: { target: target.value.targetUri, useDelta, node, service }, cluster: '' }
  if (target?.case !== 'envoyGrpc') throw invalid('ads_config.grpc_services[0]', 'envoy_grpc or google_grpc is needed')
  const name = target.value.clusterName
  const cluster = bootstrap.staticResources?.clusters.find((c) => c.name === name)
  const endpoint = cluster?.loadAssignment?.endpoints[0]?.lbEndpoints[0]?.hostIdentifier
  const address = endpoint?.case === 'endpoint' ? endpoint.value.address?.address : undefined
  if (address?.case !== 'socketAddress' || address.value.portSpecifier.case !== 'portValue') {
    throw invalid('ads_config.grpc_services[0].envoy_grpc.cluster_name', `no static cluster ${name} with an address`)
  }
  return {
    server: { target: `${address.value.address}:${address.value.portSpecifier.value}`, useDelta, node, service },
    cluster: name,
  }
}
