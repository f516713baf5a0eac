import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { TcpProxySchema } from '../../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import { NO_MUTATIONS } from '../header-mutations.ts'
import type { TcpProxyPlan, TrafficDirectionPlan, WeightedChoice } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { durationMs } from './common.ts'
import { compileTcpHashPolicy } from './hash-policy.ts'
import { compileConnectionObservers } from './observers.ts'
import { singleCluster } from './route-action.ts'
import { compileMetadataMatch } from './subsets.ts'

export const TCP_PROXY = TcpProxySchema.typeName
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000
/** Envoy's is 1; a second costs nothing sent. */
const DEFAULT_CONNECT_ATTEMPTS = 2

/** envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy. `stats` are the metrics filters before it. */
export function compileTcpProxy(
  any: Any,
  path: string,
  direction: TrafficDirectionPlan,
  stats: readonly Any[],
): TcpProxyPlan {
  const config = anyUnpack(any, TcpProxySchema)
  if (config === undefined) return refuse(path, 'is not a TcpProxy')
  if (config.tunnelingConfig !== undefined) refuse(`${path}.tunneling_config`, 'not supported')
  const criteria = compileMetadataMatch(config.metadataMatch)
  const specifier = config.clusterSpecifier
  let clusters: WeightedChoice
  if (specifier.case === 'cluster') clusters = singleCluster(specifier.value, criteria)
  else if (specifier.case === 'weightedClusters') {
    const entries = specifier.value.clusters.map(({ name, weight, metadataMatch }) => ({
      cluster: name,
      criteria: compileMetadataMatch(metadataMatch, criteria),
      weight,
      mutations: NO_MUTATIONS,
      hostRewrite: '',
      filterConfigs: new Map(),
    }))
    clusters = { entries, totalWeight: entries.reduce((sum, entry) => sum + entry.weight, 0) }
    if (clusters.totalWeight < 1) refuse(`${path}.weighted_clusters`, 'the total weight must be at least 1')
  } else clusters = refuse(path, 'a cluster is needed')
  return {
    kind: 'tcp',
    statPrefix: config.statPrefix,
    clusters,
    idleTimeoutMs: durationMs(config.idleTimeout, DEFAULT_IDLE_TIMEOUT_MS),
    hashesSourceIp: compileTcpHashPolicy(config.hashPolicy, `${path}.hash_policy`),
    observers: compileConnectionObservers(config, path, direction, stats),
    maxConnectAttempts: config.maxConnectAttempts ?? DEFAULT_CONNECT_ATTEMPTS,
  }
}
