import type { HttpConnectionManager } from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { TcpProxy } from '../../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import { compileCallLogs, compileConnectionLogs } from '../../telemetry/access-log/compile.ts'
import type { CallObserverPlan, ConnectionObserverPlan } from '../../telemetry/observer.ts'

/** Who observes the calls of a connection manager: each kind of configuration that makes observers has a line here. */
export function compileCallObservers(config: HttpConnectionManager, path: string): CallObserverPlan[] {
  return [...compileCallLogs(config.accessLog, `${path}.access_log`)]
}

/** Who observes the connections of a TCP proxy. */
export function compileConnectionObservers(config: TcpProxy, path: string): ConnectionObserverPlan[] {
  return [...compileConnectionLogs(config.accessLog, `${path}.access_log`)]
}
