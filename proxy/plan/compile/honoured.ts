import { type DescField, type DescMessage, fromBinary, isFieldSet, type Message } from '@bufbuild/protobuf'
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt'
import { OpenTelemetryConfigSchema } from '../../../api/gen/envoy/config/trace/v3/opentelemetry_pb.js'
import { ZipkinConfigSchema } from '../../../api/gen/envoy/config/trace/v3/zipkin_pb.js'
import { FileAccessLogSchema } from '../../../api/gen/envoy/extensions/access_loggers/file/v3/file_pb.js'
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '../../../api/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js'
import { OpenTelemetryAccessLogConfigSchema } from '../../../api/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.js'
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from '../../../api/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js'
import { CorsPolicySchema } from '../../../api/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { ExtAuthzSchema } from '../../../api/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import { HTTPFaultSchema } from '../../../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { GrpcWebSchema } from '../../../api/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.js'
import { JwtAuthenticationSchema } from '../../../api/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { LocalRateLimitSchema } from '../../../api/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js'
import { RateLimitSchema } from '../../../api/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.js'
import { RBACPerRouteSchema, RBACSchema } from '../../../api/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { RouterSchema } from '../../../api/gen/envoy/extensions/filters/http/router/v3/router_pb.js'
import { HttpInspectorSchema } from '../../../api/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js'
import { LocalRateLimitSchema as ListenerLocalRateLimitSchema } from '../../../api/gen/envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit_pb.js'
import { OriginalDstSchema } from '../../../api/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js'
import { ProxyProtocolSchema } from '../../../api/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js'
import { TlsInspectorSchema } from '../../../api/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js'
import { ConnectionLimitSchema } from '../../../api/gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.js'
import { ExtAuthzSchema as NetworkExtAuthzSchema } from '../../../api/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js'
import { HttpConnectionManagerSchema } from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { LocalRateLimitSchema as NetworkLocalRateLimitSchema } from '../../../api/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.js'
import { RBACSchema as NetworkRbacSchema } from '../../../api/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { TcpProxySchema } from '../../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import { UuidRequestIdConfigSchema } from '../../../api/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js'
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { HttpProtocolOptionsSchema } from '../../../api/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'

/*
 * The fields that the compilers beside this file read, or refuse by name. Whoever teaches a compiler a field adds it
 * here; every other field that a resource sets is served without, and said so.
 *
 * A message that is not in the table is honoured or refused as a whole by whoever reads the field that holds it.
 */

const HONOURED: Readonly<Record<string, string>> = {
  'envoy.config.cluster.v3.Cluster': `name type cluster_type eds_cluster_config connect_timeout lb_policy load_assignment
    max_requests_per_connection circuit_breakers typed_extension_protocol_options http2_protocol_options
    common_http_protocol_options dns_refresh_rate lb_subset_config least_request_lb_config common_lb_config
    load_balancing_policy round_robin_lb_config ring_hash_lb_config maglev_lb_config
    health_checks outlier_detection ignore_health_on_host_removal close_connections_on_host_health_failure
    transport_socket transport_socket_matches
    upstream_http_protocol_options metadata alt_stat_name`,
  'envoy.config.cluster.v3.Cluster.TransportSocketMatch': 'name match transport_socket',
  'envoy.config.cluster.v3.Cluster.EdsClusterConfig': 'eds_config service_name',
  'envoy.config.cluster.v3.Cluster.CommonLbConfig': `healthy_panic_threshold zone_aware_lb_config
    locality_weighted_lb_config consistent_hashing_lb_config`,
  'envoy.config.cluster.v3.Cluster.CommonLbConfig.ZoneAwareLbConfig': 'fail_traffic_on_panic',
  'envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig': `use_hostname_for_hashing
    hash_balance_factor`,
  'envoy.config.cluster.v3.Cluster.RoundRobinLbConfig': 'slow_start_config',
  'envoy.config.cluster.v3.Cluster.LeastRequestLbConfig': 'choice_count active_request_bias slow_start_config',
  'envoy.config.cluster.v3.Cluster.SlowStartConfig': 'slow_start_window aggression min_weight_percent',
  'envoy.config.cluster.v3.Cluster.RingHashLbConfig': 'minimum_ring_size maximum_ring_size hash_function',
  'envoy.config.cluster.v3.Cluster.MaglevLbConfig': 'table_size',
  'envoy.config.cluster.v3.CircuitBreakers': 'thresholds per_host_thresholds',
  'envoy.config.cluster.v3.OutlierDetection': `consecutive_5xx interval base_ejection_time max_ejection_percent
    enforcing_consecutive_5xx enforcing_success_rate success_rate_minimum_hosts success_rate_request_volume
    success_rate_stdev_factor consecutive_gateway_failure enforcing_consecutive_gateway_failure
    split_external_local_origin_errors consecutive_local_origin_failure enforcing_consecutive_local_origin_failure
    enforcing_local_origin_success_rate failure_percentage_threshold enforcing_failure_percentage
    enforcing_failure_percentage_local_origin failure_percentage_minimum_hosts failure_percentage_request_volume
    max_ejection_time max_ejection_time_jitter successful_active_health_check_uneject_host monitors
    always_eject_one_host`,
  'envoy.config.core.v3.HealthCheck': `timeout interval initial_jitter interval_jitter interval_jitter_percent
    unhealthy_threshold healthy_threshold reuse_connection http_health_check tcp_health_check grpc_health_check
    custom_health_check no_traffic_interval no_traffic_healthy_interval unhealthy_interval unhealthy_edge_interval
    healthy_edge_interval always_log_health_check_failures always_log_health_check_success tls_options
    transport_socket_match_criteria`,
  'envoy.config.core.v3.HealthCheck.HttpHealthCheck': `host path receive response_buffer_size request_headers_to_add
    request_headers_to_remove expected_statuses retriable_statuses codec_client_type service_name_matcher method`,
  'envoy.config.core.v3.HealthCheck.TcpHealthCheck': 'send receive proxy_protocol_config',
  'envoy.config.core.v3.HealthCheck.GrpcHealthCheck': 'service_name authority initial_metadata',
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds': `priority max_connections max_pending_requests max_requests
    max_retries retry_budget max_connection_pools track_remaining`,
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget': 'budget_percent min_retry_concurrency',
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': `common_http_protocol_options explicit_http_config
    use_downstream_protocol_config auto_config upstream_http_protocol_options`,
  'envoy.config.core.v3.UpstreamHttpProtocolOptions': 'auto_sni auto_san_validation',
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig': `http_protocol_options
    http2_protocol_options http3_protocol_options`,
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig': `http_protocol_options
    http2_protocol_options`,
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig':
    'http_protocol_options http2_protocol_options',
  'envoy.config.core.v3.HttpProtocolOptions': 'idle_timeout max_requests_per_connection',

  'envoy.config.endpoint.v3.ClusterLoadAssignment': 'cluster_name endpoints policy',
  'envoy.config.endpoint.v3.ClusterLoadAssignment.Policy': 'overprovisioning_factor weighted_priority_health',
  'envoy.config.endpoint.v3.LocalityLbEndpoints': 'locality lb_endpoints priority load_balancing_weight metadata',
  'envoy.config.endpoint.v3.LbEndpoint': 'endpoint health_status load_balancing_weight metadata',
  'envoy.config.endpoint.v3.Endpoint': 'address hostname health_check_config',

  'envoy.config.listener.v3.Listener': `name address filter_chains default_filter_chain bind_to_port use_original_dst
    traffic_direction listener_filters listener_filters_timeout continue_on_listener_filters_timeout
    additional_addresses filter_chain_matcher transparent internal_listener udp_listener_config api_listener metadata
    stat_prefix access_log`,
  'envoy.config.listener.v3.ListenerFilter': 'name typed_config config_discovery filter_disabled',
  'envoy.extensions.filters.listener.original_dst.v3.OriginalDst': '',
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': 'initial_read_buffer_size',
  'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector': '',
  'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol': `allow_requests_without_proxy_protocol
    disallowed_versions`,
  'envoy.config.listener.v3.FilterChain': `name filter_chain_match filters transport_socket
    transport_socket_connect_timeout use_proxy_proto metadata`,
  'envoy.config.listener.v3.FilterChainMatch': `destination_port prefix_ranges server_names transport_protocol
    application_protocols direct_source_prefix_ranges source_type source_prefix_ranges source_ports address_suffix
    suffix_len`,
  'envoy.config.listener.v3.Filter': 'name typed_config',
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy': `stat_prefix cluster weighted_clusters idle_timeout
    max_connect_attempts tunneling_config metadata_match hash_policy access_log`,
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster': 'clusters',
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight': `name weight
    metadata_match`,
  'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit': 'stat_prefix max_connections delay',
  'envoy.config.core.v3.TransportSocket': 'name typed_config',
  'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext': `common_tls_context require_client_certificate
    require_sni session_ticket_keys session_ticket_keys_sds_secret_config disable_stateless_session_resumption
    disable_stateful_session_resumption session_timeout`,
  'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext': `common_tls_context sni allow_renegotiation
    max_session_keys`,
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext': `tls_params tls_certificates
    tls_certificate_sds_secret_configs tls_certificate_provider_instance tls_certificate_certificate_provider
    tls_certificate_certificate_provider_instance validation_context validation_context_sds_secret_config
    combined_validation_context validation_context_certificate_provider
    validation_context_certificate_provider_instance alpn_protocols custom_handshaker`,
  'envoy.extensions.transport_sockets.tls.v3.TlsParameters': `tls_minimum_protocol_version tls_maximum_protocol_version
    cipher_suites ecdh_curves signature_algorithms`,
  'envoy.extensions.transport_sockets.tls.v3.TlsCertificate': `certificate_chain private_key pkcs12 password
    private_key_provider watched_directory`,
  'envoy.config.core.v3.DataSource': 'filename inline_bytes inline_string environment_variable',
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext': `trusted_ca
    ca_certificate_provider_instance system_root_certs verify_certificate_spki verify_certificate_hash
    match_typed_subject_alt_names match_subject_alt_names require_signed_certificate_timestamp crl
    allow_expired_certificate trust_chain_verification custom_validator_config only_verify_leaf_cert_crl
    max_verify_depth watched_directory`,
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext': `
    default_validation_context validation_context_sds_secret_config validation_context_certificate_provider
    validation_context_certificate_provider_instance`,
  'envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig': 'name sds_config',
  'envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys': 'keys',
  'envoy.extensions.transport_sockets.tls.v3.Secret': `name tls_certificate session_ticket_keys validation_context
    generic_secret`,
  'envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher': 'san_type matcher',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager': `stat_prefix rds route_config
    http_filters use_remote_address xff_num_trusted_hops skip_xff_append internal_address_config normalize_path merge_slashes
    path_with_escaped_slashes_action http_protocol_options common_http_protocol_options generate_request_id
    preserve_external_request_id server_header_transformation server_name via upgrade_configs stream_idle_timeout
    request_timeout request_headers_timeout max_request_headers_kb strip_any_host_port codec_type
    http2_protocol_options forward_client_cert_details set_current_client_cert_details tracing request_id_extension access_log`,
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing': `client_sampling
    random_sampling overall_sampling verbose max_path_tag_length custom_tags provider spawn_upstream_span`,
  'envoy.extensions.filters.network.http_connection_manager.v3.RequestIDExtension': 'typed_config',
  'envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig': 'pack_trace_reason use_request_id_for_trace_sampling',
  'envoy.config.trace.v3.Tracing.Http': 'name typed_config',
  'envoy.config.trace.v3.ZipkinConfig': `collector_cluster collector_endpoint trace_id_128bit shared_span_context
    collector_endpoint_version collector_hostname trace_context_option`,
  'envoy.config.trace.v3.OpenTelemetryConfig': 'grpc_service http_service service_name resource_detectors',
  'envoy.config.accesslog.v3.AccessLog': 'name filter typed_config',
  'envoy.extensions.access_loggers.file.v3.FileAccessLog': 'path format json_format typed_json_format log_format',
  'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog': 'log_format',
  'envoy.extensions.access_loggers.stream.v3.StderrAccessLog': 'log_format',
  'envoy.config.core.v3.SubstitutionFormatString': `text_format json_format text_format_source omit_empty_values
    formatters`,
  'envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig': `common_config additional_request_headers_to_log
    additional_response_headers_to_log additional_response_trailers_to_log`,
  'envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig': 'common_config',
  'envoy.extensions.access_loggers.grpc.v3.CommonGrpcAccessLogConfig': `log_name grpc_service transport_api_version
    buffer_flush_interval buffer_size_bytes custom_tags`,
  'envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig': `common_config
    disable_builtin_labels resource_attributes body attributes formatters`,
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails':
    'subject cert chain dns uri',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.InternalAddressConfig':
    'cidr_ranges',
  'envoy.config.core.v3.Http2ProtocolOptions': 'max_concurrent_streams',
  'envoy.config.core.v3.Http1ProtocolOptions': 'accept_http_10 allow_custom_methods',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig':
    'upgrade_type enabled',
  'envoy.extensions.filters.network.http_connection_manager.v3.Rds': 'config_source route_config_name',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter': 'name typed_config is_optional disabled',
  'envoy.extensions.filters.http.router.v3.Router': '',
  'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb': '',
  'envoy.extensions.filters.http.rbac.v3.RBAC': `rules matcher shadow_rules shadow_matcher rules_stat_prefix
    shadow_rules_stat_prefix`,
  'envoy.extensions.filters.http.rbac.v3.RBACPerRoute': 'rbac',
  'envoy.extensions.filters.network.rbac.v3.RBAC': `rules matcher shadow_rules shadow_matcher shadow_rules_stat_prefix
    stat_prefix enforcement_type`,
  'envoy.extensions.filters.network.ext_authz.v3.ExtAuthz': `stat_prefix grpc_service failure_mode_allow
    include_peer_certificate transport_api_version filter_enabled_metadata bootstrap_metadata_labels_key
    include_tls_session`,
  'envoy.extensions.filters.http.cors.v3.CorsPolicy': `allow_origin_string_match allow_methods allow_headers
    expose_headers max_age allow_credentials forward_not_matching_preflights filter_enabled shadow_enabled
    allow_private_network_access`,
  'envoy.extensions.filters.http.fault.v3.HTTPFault': `delay abort headers response_rate_limit upstream_cluster
    downstream_nodes max_active_faults`,
  'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit': `stat_prefix status token_bucket filter_enabled
    filter_enforced request_headers_to_add_when_not_enforced response_headers_to_add descriptors stage
    local_rate_limit_per_downstream_connection local_cluster_rate_limit enable_x_ratelimit_headers vh_rate_limits
    always_consume_default_token_bucket rate_limited_as_resource_exhausted rate_limits max_dynamic_descriptors
    enable_retry_after_header`,
  'envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit':
    'stat_prefix token_bucket runtime_enabled share_key',
  'envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit': 'stat_prefix token_bucket runtime_enabled',

  'envoy.extensions.filters.http.ratelimit.v3.RateLimit': `domain stage request_type timeout failure_mode_deny
    rate_limited_as_resource_exhausted rate_limit_service enable_x_ratelimit_headers disable_x_envoy_ratelimited_header
    rate_limited_status response_headers_to_add status_on_error stat_prefix`,
  'envoy.config.ratelimit.v3.RateLimitServiceConfig': 'grpc_service transport_api_version',

  'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication': `providers rules filter_state_rules
    bypass_cors_preflight requirement_map strip_failure_response`,
  'envoy.extensions.filters.http.jwt_authn.v3.JwtProvider': `issuer audiences subjects require_expiration max_lifetime
    remote_jwks local_jwks forward from_headers from_params from_cookies forward_payload_header
    pad_forward_payload_header payload_in_metadata normalize_payload_in_metadata header_in_metadata
    failed_status_in_metadata clock_skew_seconds jwt_cache_config claim_to_headers clear_route_cache`,
  'envoy.extensions.filters.http.jwt_authn.v3.RemoteJwks': 'http_uri cache_duration async_fetch',
  'envoy.extensions.filters.http.jwt_authn.v3.JwksAsyncFetch': '',
  'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz': `grpc_service http_service transport_api_version
    failure_mode_allow failure_mode_allow_header_add with_request_body clear_route_cache status_on_error
    validate_mutations metadata_context_namespaces typed_metadata_context_namespaces
    route_metadata_context_namespaces route_typed_metadata_context_namespaces filter_enabled filter_enabled_metadata
    deny_at_disable include_peer_certificate bootstrap_metadata_labels_key allowed_headers disallowed_headers
    include_tls_session encode_raw_headers decoder_header_mutation_rules enable_dynamic_metadata_ingestion`,
  'envoy.config.core.v3.GrpcService': 'envoy_grpc google_grpc timeout initial_metadata retry_policy',
  'envoy.config.core.v3.GrpcService.EnvoyGrpc': 'cluster_name authority',
  'envoy.extensions.filters.http.ext_authz.v3.HttpService': `server_uri path_prefix authorization_request
    authorization_response`,
  'envoy.extensions.filters.http.ext_authz.v3.AuthorizationRequest': 'allowed_headers headers_to_add',
  'envoy.extensions.filters.http.ext_authz.v3.AuthorizationResponse': `allowed_upstream_headers
    allowed_upstream_headers_to_append allowed_client_headers allowed_client_headers_on_success
    dynamic_metadata_from_headers`,

  'envoy.config.route.v3.RouteConfiguration': `name virtual_hosts vhds ignore_port_in_host_matching request_headers_to_add
    request_headers_to_remove response_headers_to_add response_headers_to_remove most_specific_header_mutations_wins
    typed_per_filter_config metadata validate_clusters`,
  'envoy.config.route.v3.VirtualHost': `name domains routes request_headers_to_add request_headers_to_remove
    response_headers_to_add response_headers_to_remove retry_policy include_request_attempt_count rate_limits
    include_attempt_count_in_response include_is_timeout_retry_header hedge_policy
    typed_per_filter_config matcher require_tls metadata`,
  'envoy.config.route.v3.Route': `name match route redirect direct_response metadata request_headers_to_add
    request_headers_to_remove response_headers_to_add response_headers_to_remove typed_per_filter_config decorator`,
  'envoy.config.route.v3.Decorator': 'operation propagate',
  'envoy.config.route.v3.RouteMatch': `prefix path path_separated_prefix safe_regex connect_matcher case_sensitive headers
    query_parameters runtime_fraction grpc tls_context dynamic_metadata`,
  'envoy.config.route.v3.RouteAction': `cluster weighted_clusters cluster_not_found_response_code prefix_rewrite
    regex_rewrite path_rewrite_policy host_rewrite_literal auto_host_rewrite timeout idle_timeout retry_policy
    request_mirror_policies upgrade_configs priority hedge_policy max_stream_duration max_grpc_timeout
    grpc_timeout_offset hash_policy internal_redirect_policy metadata_match rate_limits`,
  'envoy.config.route.v3.RouteAction.HashPolicy': `header cookie connection_properties query_parameter filter_state
    terminal`,
  'envoy.config.route.v3.RouteAction.HashPolicy.Header': 'header_name regex_rewrite',
  'envoy.config.route.v3.RouteAction.HashPolicy.Cookie': 'name ttl path attributes',
  'envoy.config.route.v3.RouteAction.HashPolicy.ConnectionProperties': 'source_ip',
  'envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter': 'name',
  'envoy.config.route.v3.RouteAction.UpgradeConfig': 'upgrade_type enabled connect_config',
  'envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig': 'proxy_protocol_config allow_post',
  'envoy.config.core.v3.ProxyProtocolConfig': 'version pass_through_tlvs',
  'envoy.config.route.v3.RouteAction.RequestMirrorPolicy': 'cluster runtime_fraction disable_shadow_host_suffix_append',
  'envoy.config.route.v3.WeightedCluster': 'clusters total_weight',
  'envoy.config.route.v3.WeightedCluster.ClusterWeight': `name weight request_headers_to_add request_headers_to_remove
    response_headers_to_add response_headers_to_remove host_rewrite_literal typed_per_filter_config`,
  'envoy.config.route.v3.HedgePolicy': 'initial_requests additional_request_chance hedge_on_per_try_timeout',
  'envoy.config.route.v3.RouteAction.MaxStreamDuration': `max_stream_duration grpc_timeout_header_max
    grpc_timeout_header_offset`,
  'envoy.config.route.v3.RetryPolicy': `retry_on num_retries per_try_timeout per_try_idle_timeout retry_back_off retriable_status_codes
    retry_host_predicate host_selection_retry_max_attempts retriable_headers retriable_request_headers
    rate_limited_retry_back_off retry_priority retry_options_predicates`,
  'envoy.config.route.v3.RedirectAction': `https_redirect scheme_redirect host_redirect port_redirect path_redirect
    prefix_rewrite regex_rewrite response_code strip_query`,
  'envoy.config.route.v3.DirectResponseAction': 'status body',
}

/** Messages that resources hold packed in an Any. */
const PACKED: readonly DescMessage[] = [
  GrpcWebSchema,
  LocalRateLimitSchema,
  RateLimitSchema,
  NetworkLocalRateLimitSchema,
  ListenerLocalRateLimitSchema,
  JwtAuthenticationSchema,
  ExtAuthzSchema,
  CorsPolicySchema,
  HTTPFaultSchema,
  RBACSchema,
  RBACPerRouteSchema,
  NetworkRbacSchema,
  NetworkExtAuthzSchema,
  RouterSchema,
  HttpConnectionManagerSchema,
  TcpProxySchema,
  ConnectionLimitSchema,
  HttpProtocolOptionsSchema,
  OriginalDstSchema,
  TlsInspectorSchema,
  HttpInspectorSchema,
  ProxyProtocolSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  FileAccessLogSchema,
  StdoutAccessLogSchema,
  StderrAccessLogSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
  OpenTelemetryAccessLogConfigSchema,
  ZipkinConfigSchema,
  OpenTelemetryConfigSchema,
  UuidRequestIdConfigSchema,
]

interface Reading {
  /** Fields that nobody reads. */
  readonly unread: readonly DescField[]
  /** Fields that hold messages to look into. */
  readonly inner: readonly DescField[]
}

const readings = new Map<string, Reading | undefined>()

/**
 * The fields that `message` sets and that are not honoured, as paths of proto names without indices
 * (`filter_chains.filters.access_log`).
 */
export function notHonoured<D extends DescMessage>(schema: D, message: Message, path = ''): string[] {
  const found = new Set<string>()
  collect(schema, message, path, found)
  return [...found]
}

function collect(schema: DescMessage, message: Message, path: string, found: Set<string>): void {
  const reading = readingOf(schema)
  if (reading === undefined) return
  const at = (field: DescField) => (path === '' ? field.name : `${path}.${field.name}`)
  for (const field of reading.unread) if (isFieldSet(message, field)) found.add(at(field))
  for (const unknown of message.$unknown ?? []) found.add(`${path === '' ? '' : `${path}.`}#${unknown.no}`)
  for (const field of reading.inner) {
    if (!isFieldSet(message, field)) continue
    for (const inner of messagesOf(message, field)) collectInner(field, inner, at(field), found)
  }
}

function collectInner(field: DescField, inner: Message, path: string, found: Set<string>): void {
  if (field.message?.typeName !== AnySchema.typeName) {
    if (field.message !== undefined) collect(field.message, inner, path, found)
    return
  }
  const { typeUrl, value } = inner as Any
  const packed = PACKED.find((schema) => typeUrl.endsWith(`/${schema.typeName}`))
  if (packed === undefined) return
  collect(packed, fromBinary(packed, value), path.slice(0, path.lastIndexOf('.') + 1) + shortName(packed), found)
}

function readingOf(schema: DescMessage): Reading | undefined {
  if (readings.has(schema.typeName)) return readings.get(schema.typeName)
  const names = HONOURED[schema.typeName]
  let reading: Reading | undefined
  if (names !== undefined) {
    const honoured = new Set(names.split(/\s+/))
    const isInner = (field: DescField) => field.message !== undefined && isLookedInto(field.message)
    reading = {
      unread: schema.fields.filter((field) => !honoured.has(field.name)),
      inner: schema.fields.filter((field) => honoured.has(field.name) && isInner(field)),
    }
  }
  readings.set(schema.typeName, reading)
  return reading
}

function isLookedInto(schema: DescMessage): boolean {
  return schema.typeName === AnySchema.typeName || HONOURED[schema.typeName] !== undefined
}

function messagesOf(message: Message, field: DescField): Message[] {
  const fields = message as unknown as Record<string, unknown>
  const oneof = field.oneof === undefined ? undefined : (fields[field.oneof.localName] as { value: Message })
  if (oneof !== undefined) return [oneof.value]
  const value = fields[field.localName]
  if (field.fieldKind === 'list') return value as Message[]
  return field.fieldKind === 'map' ? Object.values(value as Record<string, Message>) : [value as Message]
}

/** `HttpConnectionManager` as `http_connection_manager`. */
function shortName(schema: DescMessage): string {
  return schema.name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase()
}

/** The names in the table that no field answers to, for the test. */
export function unknownNames(schemas: readonly DescMessage[]): string[] {
  const unknown = new Set(Object.keys(HONOURED))
  const wrong: string[] = []
  const visit = (schema: DescMessage) => {
    if (!unknown.delete(schema.typeName)) return
    const names = new Set(schema.fields.map((field) => field.name))
    for (const name of (HONOURED[schema.typeName] as string).split(/\s+/)) {
      if (name !== '' && !names.has(name)) wrong.push(`${schema.typeName}.${name}`)
    }
    for (const field of schema.fields) if (field.message !== undefined) visit(field.message)
  }
  for (const schema of [...schemas, ...PACKED]) visit(schema)
  return [...wrong, ...unknown]
}
