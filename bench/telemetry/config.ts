import { cluster, typed } from '../../test/support/static-resources.ts'
import { type Additions, HTTP2 } from '../data-path/configs/envoy.ts'

/** What a proxy of the mesh is told to observe, in Envoy's words. */

const SINK = 'sink'
const grpcService = { envoy_grpc: { cluster_name: SINK }, timeout: '1s' }

const NODE = {
  id: 'sidecar~127.0.0.1~productpage-v1.default~default.svc.cluster.local',
  cluster: 'productpage.default',
  metadata: {
    NAME: 'productpage-v1',
    NAMESPACE: 'default',
    WORKLOAD_NAME: 'productpage-v1',
    CLUSTER_ID: 'Kubernetes',
    LABELS: { app: 'productpage', version: 'v1' },
  },
}

const METRICS: Additions = {
  filters: [{ name: 'istio.stats', typed_config: { '@type': 'type.googleapis.com/stats.PluginConfig' } }],
}

const ACCESS_LOG = {
  access_log: [
    {
      name: 'envoy.access_loggers.http_grpc',
      typed_config: typed('access_loggers.grpc.v3.HttpGrpcAccessLogConfig', {
        common_config: { log_name: 'bench', transport_api_version: 'V3', grpc_service: grpcService },
      }),
    },
  ],
}

const TRACING = {
  tracing: {
    random_sampling: { value: 1 },
    provider: {
      name: 'envoy.tracers.opentelemetry',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
        grpc_service: grpcService,
        service_name: 'productpage.default',
      },
    },
  },
}

/** What the others are compared with. */
export const NOTHING = 'nothing'

/** By what is observed. */
export function observations(sinkPort: number): Readonly<Record<string, Additions>> {
  const common: Additions = { node: NODE, clusters: [cluster(SINK, [sinkPort], { connect_timeout: '1s', ...HTTP2 })] }
  return {
    [NOTHING]: common,
    metrics: { ...common, ...METRICS },
    'access log by gRPC': { ...common, manager: ACCESS_LOG },
    '1 % of spans': { ...common, manager: TRACING },
    'all three': { ...common, ...METRICS, manager: { ...ACCESS_LOG, ...TRACING } },
  }
}
