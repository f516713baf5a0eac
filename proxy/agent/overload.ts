import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Bootstrap } from '../../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import { DownstreamConnectionsConfigSchema } from '../../api/gen/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb.js'

/**
 * How many connections all listeners may hold together: what the resource monitor
 * `envoy.resource_monitors.global_downstream_max_connections` of the overload manager says, undefined without one.
 */
export function maxDownstreamConnections(bootstrap: Bootstrap): number | undefined {
  for (const { configType } of bootstrap.overloadManager?.resourceMonitors ?? []) {
    const config = configType.case === 'typedConfig' && anyUnpack(configType.value, DownstreamConnectionsConfigSchema)
    if (config) return Number(config.maxActiveDownstreamConnections)
  }
  return undefined
}
