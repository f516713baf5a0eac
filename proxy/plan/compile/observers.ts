import type { HttpConnectionManager } from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { TcpProxy } from '../../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import type { CallObserverPlan, ConnectionObserverPlan } from '../../telemetry/observer.ts'

/** Who observes the calls of a connection manager: each kind of configuration that makes observers has a line here. */
export function compileCallObservers(_config: HttpConnectionManager, _path: string): CallObserverPlan[] {
  return []
}

/** Who observes the connections of a TCP proxy. */
export function compileConnectionObservers(_config: TcpProxy, _path: string): ConnectionObserverPlan[] {
  return []
}
