import { clone } from '@bufbuild/protobuf'
import { VHDS_CLIENT_FEATURE } from '../../api/client-features.ts'
import type { Bootstrap } from '../../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import { NodeSchema, type TransportSocket } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { ApiConfigSource_ApiType as ApiType } from '../../api/gen/envoy/config/core/v3/config_source_pb.js'
import type { GrpcService } from '../../api/gen/envoy/config/core/v3/grpc_service_pb.js'
import { PROXY_AGENT } from '../../api/node.ts'
import { MeshError } from '../../lib/errors.ts'
import { PlanError, refuse } from '../plan/plan-error.ts'
import type { ManagementServer } from '../xds/transport.ts'
import { channelOf, googleSocket, headersOf } from './management-channel.ts'

/**
 * Where `dynamic_resources.ads_config` leads, and the static cluster that says so. undefined without dynamic resources. The token in
 * `tokenFile` tells the server who the proxy is. Throws BOOTSTRAP_INVALID.
 */
export function managementServer(
  bootstrap: Bootstrap,
  file: string,
  tokenFile?: string,
): { server: ManagementServer; cluster: string } | undefined {
  const dynamic = bootstrap.dynamicResources
  if (dynamic === undefined) return undefined
  try {
    return adsServer(bootstrap, tokenFile)
  } catch (thrown) {
    if (!(thrown instanceof PlanError)) throw thrown
    throw new MeshError('BOOTSTRAP_INVALID', `${file}: ${thrown.message}`, { source: 'config' })
  }
}

const ADS = 'dynamic_resources.ads_config'

function adsServer(bootstrap: Bootstrap, tokenFile: string | undefined) {
  const ads = bootstrap.dynamicResources?.adsConfig
  if (ads === undefined) return refuse(ADS, 'is needed: only aggregated discovery is supported')
  if (ads.apiType !== ApiType.GRPC && ads.apiType !== ApiType.DELTA_GRPC) {
    refuse(`${ADS}.api_type`, 'must be GRPC or DELTA_GRPC')
  }
  if (bootstrap.node === undefined || bootstrap.node.id === '') refuse('node.id', 'is needed to ask for configuration')
  const useDelta = ads.apiType === ApiType.DELTA_GRPC
  const node = clone(NodeSchema, bootstrap.node)
  node.userAgentName = PROXY_AGENT
  if (useDelta) node.clientFeatures.push(VHDS_CLIENT_FEATURE)
  const path = `${ADS}.grpc_services[0]`
  const service = ads.grpcServices[0]
  if (service === undefined) return refuse(path, 'envoy_grpc or google_grpc is needed')
  const { target, cluster, socket, socketPath } = placeOf(service, path, bootstrap)
  const secure = channelOf(socket, socketPath)
  const headers = headersOf(service, path, tokenFile, secure !== undefined)
  const server: ManagementServer = { target, useDelta, node, service: 'aggregated', headers, ...(secure && { secure }) }
  return { server, cluster }
}

interface Place {
  readonly target: string
  /** '' for a target that no cluster stands for. */
  readonly cluster: string
  readonly socket: TransportSocket | undefined
  readonly socketPath: string
}

function placeOf({ targetSpecifier: target }: GrpcService, path: string, bootstrap: Bootstrap): Place {
  if (target.case === 'googleGrpc') {
    const socketPath = `${path}.google_grpc`
    return { target: target.value.targetUri, cluster: '', socket: googleSocket(target.value, socketPath), socketPath }
  }
  if (target.case !== 'envoyGrpc') return refuse(path, 'envoy_grpc or google_grpc is needed')
  const name = target.value.clusterName
  const clusters = bootstrap.staticResources?.clusters ?? []
  const index = clusters.findIndex((cluster) => cluster.name === name)
  const cluster = clusters[index]
  const endpoint = cluster?.loadAssignment?.endpoints[0]?.lbEndpoints[0]?.hostIdentifier
  const address = endpoint?.case === 'endpoint' ? endpoint.value.address?.address : undefined
  if (address?.case !== 'socketAddress' || address.value.portSpecifier.case !== 'portValue') {
    return refuse(`${path}.envoy_grpc.cluster_name`, `no static cluster ${name} with an address`)
  }
  return {
    target: `${address.value.address}:${address.value.portSpecifier.value}`,
    cluster: name,
    socket: cluster?.transportSocket,
    socketPath: `static_resources.clusters[${index}].transport_socket`,
  }
}
