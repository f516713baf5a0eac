import { create } from '@bufbuild/protobuf'
import { type Filter, FilterSchema } from '../../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import {
  type HttpFilter,
  HttpFilterSchema,
} from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import {
  Config_DiscoveryMethodSchema,
  Config_IstioHeadersSchema,
  Config_PropagationMethodSchema,
  ConfigSchema,
} from '../../../api/gen/istio/peer_metadata/config_pb.js'
import { type MetricConfig, MetricConfigSchema, PluginConfigSchema } from '../../../api/gen/istio/stats/config_pb.js'
import type { MetricOverride, ModeTelemetry } from '../../mesh/telemetry.ts'
import type { HttpRole } from '../listener/plan.ts'
import { any, durationOf } from '../messages.ts'

const STATS_FILTER = 'istio.stats'
const PEER_METADATA_FILTER = 'envoy.filters.http.peer_metadata'

/** Names of Istio's filter (Istio's pilot/pkg/model/telemetry.go, metricToPrometheusMetric). */
const PROMETHEUS_NAMES: Readonly<Record<string, string>> = {
  ALL_METRICS: '',
  REQUEST_COUNT: 'requests_total',
  REQUEST_DURATION: 'request_duration_milliseconds',
  REQUEST_SIZE: 'request_bytes',
  RESPONSE_SIZE: 'response_bytes',
  TCP_OPENED_CONNECTIONS: 'tcp_connections_opened_total',
  TCP_CLOSED_CONNECTIONS: 'tcp_connections_closed_total',
  TCP_SENT_BYTES: 'tcp_sent_bytes_total',
  TCP_RECEIVED_BYTES: 'tcp_received_bytes_total',
  GRPC_REQUEST_MESSAGES: 'request_messages_total',
  GRPC_RESPONSE_MESSAGES: 'response_messages_total',
}

/** By which proxies tell each other who they are. A gateway is told nothing by those outside, and tells them nothing. */
export function peerMetadataFilters({ metrics }: ModeTelemetry, role: HttpRole): HttpFilter[] {
  if (!metrics.isOn) return []
  const headers = { case: 'istioHeaders' as const, value: create(Config_IstioHeadersSchema) }
  const discovery = [create(Config_DiscoveryMethodSchema, { methodSpecifier: headers })]
  const propagation = [create(Config_PropagationMethodSchema, { methodSpecifier: headers })]
  const config =
    role === 'sidecarInbound'
      ? create(ConfigSchema, { downstreamDiscovery: discovery, downstreamPropagation: propagation })
      : create(ConfigSchema, { upstreamDiscovery: discovery, upstreamPropagation: propagation })
  return [optional(PEER_METADATA_FILTER, any(ConfigSchema, config))]
}

export function statsFilters({ metrics }: ModeTelemetry, role: HttpRole): HttpFilter[] {
  if (!metrics.isOn) return []
  // Hosts that strangers ask for name nothing.
  const config = pluginConfig(metrics, role !== 'sidecarOutbound')
  return [optional(STATS_FILTER, any(PluginConfigSchema, config))]
}

/** An Envoy that does not know the filter serves without it. */
function optional(name: string, value: ReturnType<typeof any>): HttpFilter {
  return create(HttpFilterSchema, { name, isOptional: true, configType: { case: 'typedConfig', value } })
}

/** Of a chain that ends in a TCP proxy. There is no such thing as an optional filter: only those get it who know it. */
export function tcpStatsFilters({ metrics, countsConnections }: ModeTelemetry): Filter[] {
  if (!metrics.isOn || countsConnections !== true) return []
  const value = any(PluginConfigSchema, pluginConfig(metrics, true))
  return [create(FilterSchema, { name: STATS_FILTER, configType: { case: 'typedConfig', value } })]
}

function pluginConfig({ overrides, reportingInterval }: ModeTelemetry['metrics'], disableHostHeaderFallback: boolean) {
  const tcpReportingDuration = durationOf(reportingInterval)
  return create(PluginConfigSchema, {
    disableHostHeaderFallback,
    ...(tcpReportingDuration && { tcpReportingDuration }),
    metrics: overrides.map(metricConfig),
  })
}

function metricConfig({ metric, disabled, tags }: MetricOverride): MetricConfig {
  const entries = Object.entries(tags)
  return create(MetricConfigSchema, {
    name: PROMETHEUS_NAMES[metric] ?? metric.replace(/^istio_/, ''),
    drop: disabled,
    dimensions: Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined)),
    tagsToRemove: entries.filter(([, value]) => value === undefined).map(([name]) => name),
  })
}
