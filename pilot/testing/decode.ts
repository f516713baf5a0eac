import { createRegistry, type DescMessage, fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf'
import { ClusterSchema } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ClusterLoadAssignmentSchema } from '../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { ListenerSchema } from '../../api/gen/envoy/config/listener/v3/listener_pb.js'
import { VirtualHostSchema } from '../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '../../api/gen/envoy/config/route/v3/route_pb.js'
import { OpenTelemetryConfigSchema } from '../../api/gen/envoy/config/trace/v3/opentelemetry_pb.js'
import { ZipkinConfigSchema } from '../../api/gen/envoy/config/trace/v3/zipkin_pb.js'
import { FileAccessLogSchema } from '../../api/gen/envoy/extensions/access_loggers/file/v3/file_pb.js'
import { ExpressionFilterSchema } from '../../api/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js'
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '../../api/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js'
import { OpenTelemetryAccessLogConfigSchema } from '../../api/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.js'
import { CorsPolicySchema, CorsSchema } from '../../api/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from '../../api/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import { HTTPFaultSchema } from '../../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { JwtAuthenticationSchema } from '../../api/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { LocalRateLimitSchema } from '../../api/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js'
import {
  RateLimitPerRouteSchema,
  RateLimitSchema,
} from '../../api/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.js'
import { RBACSchema } from '../../api/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { RouterSchema } from '../../api/gen/envoy/extensions/filters/http/router/v3/router_pb.js'
import { OriginalDstSchema } from '../../api/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js'
import { TlsInspectorSchema } from '../../api/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js'
import { ExtAuthzSchema as NetworkExtAuthzSchema } from '../../api/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js'
import { HttpConnectionManagerSchema } from '../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { RBACSchema as NetworkRbacSchema } from '../../api/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { TcpProxySchema } from '../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import { UriTemplateMatchConfigSchema } from '../../api/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js'
import { DescriptorSchema } from '../../api/gen/envoy/extensions/rate_limit_descriptors/expr/v3/expr_pb.js'
import { UuidRequestIdConfigSchema } from '../../api/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js'
import { PreviousHostsPredicateSchema } from '../../api/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js'
import { SecretSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { HttpProtocolOptionsSchema } from '../../api/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import { ConfigSchema as PeerMetadataSchema } from '../../api/gen/istio/peer_metadata/config_pb.js'
import { PluginConfigSchema } from '../../api/gen/istio/stats/config_pb.js'
import { SHORT_TYPE, TYPE_URL, type TypeUrl } from '../../api/type-urls.ts'
import type { EncodedResource, ResourceView } from '../xds/view.ts'

/** Reads resources back as JSON, as Envoy's documentation writes them. For tests and debugging. */

const SCHEMAS: Partial<Record<TypeUrl, DescMessage>> = {
  [TYPE_URL.cluster]: ClusterSchema,
  [TYPE_URL.endpoint]: ClusterLoadAssignmentSchema,
  [TYPE_URL.listener]: ListenerSchema,
  [TYPE_URL.route]: RouteConfigurationSchema,
  [TYPE_URL.virtualHost]: VirtualHostSchema,
  [TYPE_URL.secret]: SecretSchema,
}

/** The messages that are packed inside others. */
const PACKED = createRegistry(
  ExtAuthzPerRouteSchema,
  RateLimitPerRouteSchema,
  RateLimitSchema,
  CorsPolicySchema,
  CorsSchema,
  LocalRateLimitSchema,
  DescriptorSchema,
  ExtAuthzSchema,
  NetworkExtAuthzSchema,
  RBACSchema,
  NetworkRbacSchema,
  UriTemplateMatchConfigSchema,
  FileAccessLogSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
  OpenTelemetryAccessLogConfigSchema,
  ExpressionFilterSchema,
  HTTPFaultSchema,
  HttpConnectionManagerSchema,
  HttpProtocolOptionsSchema,
  OpenTelemetryConfigSchema,
  OriginalDstSchema,
  PreviousHostsPredicateSchema,
  JwtAuthenticationSchema,
  PeerMetadataSchema,
  PluginConfigSchema,
  RouterSchema,
  TcpProxySchema,
  TlsInspectorSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  UuidRequestIdConfigSchema,
  ZipkinConfigSchema,
)

export function decode(type: TypeUrl, resource: EncodedResource): JsonValue {
  const schema = SCHEMAS[type]
  if (schema === undefined) return null
  return toJson(schema, fromBinary(schema, resource.bytes), { registry: PACKED, useProtoFieldName: true })
}

/** Everything that a view lists, by short type name and resource name. */
export function decodeView(view: ResourceView): Record<string, Record<string, JsonValue>> {
  const decoded: Record<string, Record<string, JsonValue>> = {}
  for (const type of [TYPE_URL.listener, TYPE_URL.route, TYPE_URL.cluster, TYPE_URL.endpoint]) {
    decoded[SHORT_TYPE[type]] = Object.fromEntries(view.list(type).map((r) => [r.name, decode(type, r)]))
  }
  return decoded
}
