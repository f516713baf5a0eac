import { createRegistry, type DescEnum, type DescFile, type DescMessage, type Registry } from '@bufbuild/protobuf'
import { copyOfFile } from './descriptors/file-desc.ts'
import { typesIn } from './descriptors/types-in.ts'
import { file_envoy_admin_v3_config_dump } from './gen/envoy/admin/v3/config_dump_pb.js'
import { file_envoy_admin_v3_config_dump_shared } from './gen/envoy/admin/v3/config_dump_shared_pb.js'
import { file_envoy_config_bootstrap_v3_bootstrap } from './gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import { file_envoy_config_endpoint_v3_endpoint } from './gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { file_envoy_config_route_v3_route } from './gen/envoy/config/route/v3/route_pb.js'
import { file_envoy_config_trace_v3_opentelemetry } from './gen/envoy/config/trace/v3/opentelemetry_pb.js'
import { file_envoy_config_trace_v3_zipkin } from './gen/envoy/config/trace/v3/zipkin_pb.js'
import { file_envoy_extensions_access_loggers_file_v3_file } from './gen/envoy/extensions/access_loggers/file/v3/file_pb.js'
import { file_envoy_extensions_access_loggers_filters_cel_v3_cel } from './gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js'
import { file_envoy_extensions_access_loggers_grpc_v3_als } from './gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js'
import { file_envoy_extensions_access_loggers_open_telemetry_v3_logs_service } from './gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.js'
import { file_envoy_extensions_access_loggers_stream_v3_stream } from './gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js'
import { file_envoy_extensions_filters_http_cors_v3_cors } from './gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { file_envoy_extensions_filters_http_ext_authz_v3_ext_authz } from './gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import { file_envoy_extensions_filters_http_fault_v3_fault } from './gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { file_envoy_extensions_filters_http_grpc_web_v3_grpc_web } from './gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.js'
import { file_envoy_extensions_filters_http_jwt_authn_v3_config } from './gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { file_envoy_extensions_filters_http_local_ratelimit_v3_local_rate_limit } from './gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js'
import { file_envoy_extensions_filters_http_ratelimit_v3_rate_limit } from './gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.js'
import { file_envoy_extensions_filters_http_rbac_v3_rbac } from './gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { file_envoy_extensions_filters_http_router_v3_router } from './gen/envoy/extensions/filters/http/router/v3/router_pb.js'
import { file_envoy_extensions_filters_listener_http_inspector_v3_http_inspector } from './gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js'
import { file_envoy_extensions_filters_listener_local_ratelimit_v3_local_ratelimit } from './gen/envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit_pb.js'
import { file_envoy_extensions_filters_listener_original_dst_v3_original_dst } from './gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js'
import { file_envoy_extensions_filters_listener_proxy_protocol_v3_proxy_protocol } from './gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js'
import { file_envoy_extensions_filters_listener_tls_inspector_v3_tls_inspector } from './gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js'
import { file_envoy_extensions_filters_network_connection_limit_v3_connection_limit } from './gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.js'
import { file_envoy_extensions_filters_network_ext_authz_v3_ext_authz } from './gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js'
import { file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager } from './gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { file_envoy_extensions_filters_network_local_ratelimit_v3_local_rate_limit } from './gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.js'
import { file_envoy_extensions_filters_network_rbac_v3_rbac } from './gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { file_envoy_extensions_filters_network_tcp_proxy_v3_tcp_proxy } from './gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import { file_envoy_extensions_path_match_uri_template_v3_uri_template_match } from './gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js'
import { file_envoy_extensions_rate_limit_descriptors_expr_v3_expr } from './gen/envoy/extensions/rate_limit_descriptors/expr/v3/expr_pb.js'
import { file_envoy_extensions_request_id_uuid_v3_uuid } from './gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js'
import { file_envoy_extensions_resource_monitors_downstream_connections_v3_downstream_connections } from './gen/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb.js'
import { file_envoy_extensions_retry_host_previous_hosts_v3_previous_hosts } from './gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js'
import { file_envoy_extensions_retry_priority_previous_priorities_v3_previous_priorities_config } from './gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js'
import { file_envoy_extensions_tracers_opentelemetry_resource_detectors_v3_environment_resource_detector } from './gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb.js'
import { file_envoy_extensions_tracers_opentelemetry_resource_detectors_v3_static_config_resource_detector } from './gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector_pb.js'
import { file_envoy_extensions_transport_sockets_raw_buffer_v3_raw_buffer } from './gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js'
import { file_envoy_extensions_transport_sockets_tls_v3_tls } from './gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { file_envoy_extensions_upstreams_http_v3_http_protocol_options } from './gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import { file_istio_peer_metadata_config } from './gen/istio/peer_metadata/config_pb.js'
import { file_istio_stats_config } from './gen/istio/stats/config_pb.js'

/** With what these import, every message that may stand in an Any. */
const FILES: readonly DescFile[] = [
  file_envoy_admin_v3_config_dump,
  file_envoy_admin_v3_config_dump_shared,
  file_envoy_config_bootstrap_v3_bootstrap,
  file_envoy_config_endpoint_v3_endpoint,
  file_envoy_config_route_v3_route,
  file_envoy_extensions_access_loggers_file_v3_file,
  file_envoy_extensions_access_loggers_filters_cel_v3_cel,
  file_envoy_extensions_access_loggers_grpc_v3_als,
  file_envoy_extensions_access_loggers_open_telemetry_v3_logs_service,
  file_envoy_extensions_access_loggers_stream_v3_stream,
  file_envoy_extensions_filters_http_cors_v3_cors,
  file_envoy_extensions_filters_http_fault_v3_fault,
  file_envoy_extensions_filters_http_grpc_web_v3_grpc_web,
  file_envoy_extensions_filters_http_router_v3_router,
  file_envoy_extensions_filters_listener_http_inspector_v3_http_inspector,
  file_envoy_extensions_filters_listener_original_dst_v3_original_dst,
  file_envoy_extensions_filters_listener_proxy_protocol_v3_proxy_protocol,
  file_envoy_extensions_filters_listener_tls_inspector_v3_tls_inspector,
  file_envoy_extensions_filters_network_connection_limit_v3_connection_limit,
  file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager,
  file_envoy_extensions_filters_network_tcp_proxy_v3_tcp_proxy,
  file_envoy_extensions_resource_monitors_downstream_connections_v3_downstream_connections,
  file_envoy_extensions_retry_host_previous_hosts_v3_previous_hosts,
  file_envoy_extensions_retry_priority_previous_priorities_v3_previous_priorities_config,
  file_envoy_extensions_transport_sockets_raw_buffer_v3_raw_buffer,
  file_envoy_extensions_transport_sockets_tls_v3_tls,
  file_envoy_extensions_upstreams_http_v3_http_protocol_options,
  file_envoy_extensions_filters_http_ext_authz_v3_ext_authz,
  file_envoy_extensions_filters_http_jwt_authn_v3_config,
  file_envoy_extensions_filters_http_ratelimit_v3_rate_limit,
  file_envoy_extensions_filters_http_rbac_v3_rbac,
  file_envoy_extensions_filters_network_ext_authz_v3_ext_authz,
  file_envoy_extensions_filters_network_rbac_v3_rbac,
  file_envoy_extensions_filters_http_local_ratelimit_v3_local_rate_limit,
  file_envoy_extensions_filters_listener_local_ratelimit_v3_local_ratelimit,
  file_envoy_extensions_filters_network_local_ratelimit_v3_local_rate_limit,
  file_envoy_extensions_rate_limit_descriptors_expr_v3_expr,
  file_envoy_extensions_path_match_uri_template_v3_uri_template_match,
  file_envoy_config_trace_v3_opentelemetry,
  file_envoy_config_trace_v3_zipkin,
  file_envoy_extensions_request_id_uuid_v3_uuid,
  file_envoy_extensions_tracers_opentelemetry_resource_detectors_v3_static_config_resource_detector,
  file_envoy_extensions_tracers_opentelemetry_resource_detectors_v3_environment_resource_detector,
  file_istio_peer_metadata_config,
  file_istio_stats_config,
]

/** What lets configuration be read from JSON and dumps of it be written as such. */
export const REGISTRY: Registry = createRegistry(...typesOf(FILES))

/**
 * The same types anew, for a reading that comes but once: with them goes all that reading Envoy's API from JSON leaves, which
 * is more than what a proxy of a few routes has for them.
 */
export function passingRegistry(): Registry {
  const copies = new Map<DescFile, DescFile>()
  return createRegistry(...typesOf(FILES.map((file) => copyOfFile(file, copies))))
}

/** A registry that is given files holds the types of these, not of those they import, and reads all of each. */
function* typesOf(files: readonly DescFile[], seen = new Set<DescFile>()): Generator<DescMessage | DescEnum> {
  for (const file of files) {
    if (seen.has(file)) continue
    seen.add(file)
    yield* typesIn(file)
    yield* typesOf(file.dependencies, seen)
  }
}
