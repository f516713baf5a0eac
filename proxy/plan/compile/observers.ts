import type { Any } from '@bufbuild/protobuf/wkt'
import type { HttpConnectionManager } from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { TcpProxy } from '../../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import { compileCallLogs, compileConnectionLogs } from '../../telemetry/access-log/compile.ts'
import type { CallObserverPlan, ConnectionObserverPlan } from '../../telemetry/observer.ts'
import { compileTracing } from '../../telemetry/tracing/config.ts'
import type { TrafficDirectionPlan } from '../plan.ts'
import { compileCallStats, compileConnectionStats } from './istio-stats.ts'

/** Who observes the calls of a connection manager: each kind of configuration that makes observers has a line here. */
export function compileCallObservers(
  config: HttpConnectionManager,
  path: string,
  direction: TrafficDirectionPlan,
): CallObserverPlan[] {
  // Envoy takes a listener that does not say for one of calls that come in.
  const tracing = compileTracing(config, path, direction === 'outbound' ? 'outbound' : 'inbound')
  return [
    ...(tracing === undefined ? [] : [tracing]),
    ...compileCallStats(config.httpFilters, `${path}.http_filters`, direction),
    ...compileCallLogs(config.accessLog, `${path}.access_log`),
  ]
}

/** Who observes the connections of a TCP proxy. `stats` are the metrics filters before it. */
export function compileConnectionObservers(
  config: TcpProxy,
  path: string,
  direction: TrafficDirectionPlan,
  stats: readonly Any[],
): ConnectionObserverPlan[] {
  return [
    ...compileConnectionStats(stats, path, direction),
    ...compileConnectionLogs(config.accessLog, `${path}.access_log`),
  ]
}
