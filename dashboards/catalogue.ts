export type MetricType = 'counter' | 'gauge' | 'histogram'

/** Who exposes a metric: `process` is every program of the mesh. */
export type Exposer = 'proxy' | 'pilot' | 'process'

export interface CatalogueEntry {
  /** As Prometheus has it; a histogram's without `_bucket`, `_sum` and `_count`. */
  readonly name: string
  readonly type: MetricType
  readonly from: Exposer
  /** Without those that the scrape adds (SCRAPE_LABELS) and a histogram's `le`. */
  readonly labels: readonly string[]
  readonly unit: string
  readonly help: string
}

/** What the scrape configuration adds to every series; the dashboards and rules expect `job`, `instance`, `pod` and `namespace`. */
export const SCRAPE_LABELS = ['job', 'instance', 'pod', 'namespace'] as const

/** The jobs by which the rules know who is scraped. */
export const JOBS = { proxy: 'envoy-stats', pilot: 'pilot' } as const

/** The upper bounds of every histogram with an `istio_` name; milliseconds or bytes. */
export const ISTIO_BOUNDS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
] as const

/** Who called whom, on every metric with an `istio_` name. */
const PEER_LABELS = [
  'reporter',
  ...['workload', 'workload_namespace', 'principal', 'app', 'version', 'canonical_service', 'canonical_revision'].map(
    (name) => `source_${name}`,
  ),
  'source_cluster',
  ...['workload', 'workload_namespace', 'principal', 'app', 'version', 'canonical_service', 'canonical_revision'].map(
    (name) => `destination_${name}`,
  ),
  'destination_service',
  'destination_service_name',
  'destination_service_namespace',
  'destination_cluster',
  'request_protocol',
  'response_flags',
  'connection_security_policy',
]
const CALL_LABELS = [...PEER_LABELS, 'response_code', 'grpc_response_status']
const CLUSTER_LABELS = ['envoy_cluster_name']
const MANAGER_LABELS = ['envoy_http_conn_manager_prefix']

function of(from: Exposer, type: MetricType, unit: string, labels: readonly string[] = []) {
  return (name: string, help: string): CatalogueEntry => ({ name, type, from, labels, unit, help })
}

const calls = of('proxy', 'counter', 'requests', CALL_LABELS)
const callSizes = of('proxy', 'histogram', 'bytes', CALL_LABELS)
const messages = of('proxy', 'counter', 'messages', PEER_LABELS)
const connections = of('proxy', 'counter', 'connections', PEER_LABELS)
const tcpBytes = of('proxy', 'counter', 'bytes', PEER_LABELS)
const clusterCount = of('proxy', 'counter', 'events', CLUSTER_LABELS)
const clusterState = of('proxy', 'gauge', 'number', CLUSTER_LABELS)
const pilotCount = of('pilot', 'counter', 'events')
const pilotState = of('pilot', 'gauge', 'number')
const pilotTime = of('pilot', 'histogram', 'seconds')
const processState = of('process', 'gauge', 'number')

/** Every metric that a dashboard, a rule or an alert may name. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  calls('istio_requests_total', 'Requests that ended, by who called whom and how it ended.'),
  of(
    'proxy',
    'histogram',
    'milliseconds',
    CALL_LABELS,
  )('istio_request_duration_milliseconds', 'From the first byte of the request to the last of the response.'),
  callSizes('istio_request_bytes', 'Sizes of request bodies.'),
  callSizes('istio_response_bytes', 'Sizes of response bodies.'),
  messages('istio_request_messages_total', 'gRPC messages that clients sent.'),
  messages('istio_response_messages_total', 'gRPC messages that servers sent.'),
  connections('istio_tcp_connections_opened_total', 'TCP connections that were opened.'),
  connections('istio_tcp_connections_closed_total', 'TCP connections that ended.'),
  tcpBytes('istio_tcp_sent_bytes_total', 'Bytes that TCP connections sent back to who opened them.'),
  tcpBytes('istio_tcp_received_bytes_total', 'Bytes that TCP connections received from who opened them.'),
  of('process', 'gauge', 'number', ['component', 'tag'])('istio_build', '1, with the version of who exposes it.'),
  of('proxy', 'gauge', 'series')('lateen_metrics_series', 'Series with an `istio_` name that a proxy has.'),
  of(
    'proxy',
    'counter',
    'series',
  )(
    'lateen_metrics_overflow_total',
    'Series that were refused for the bound on series: their calls are counted under labels with less in them.',
  ),
  of(
    'proxy',
    'histogram',
    'milliseconds',
    CLUSTER_LABELS,
  )('envoy_cluster_upstream_rq_time', 'From the request to the end of the response, by cluster.'),
  of(
    'proxy',
    'histogram',
    'milliseconds',
    MANAGER_LABELS,
  )('envoy_http_downstream_rq_time', 'From the request to the end of the response, by listener.'),
  of('proxy', 'gauge', 'requests', MANAGER_LABELS)('envoy_http_downstream_rq_active', 'Requests under way.'),
  of(
    'proxy',
    'gauge',
    'connections',
    MANAGER_LABELS,
  )('envoy_http_downstream_cx_active', 'Open connections of clients.'),
  clusterCount('envoy_cluster_upstream_rq_retry', 'Retries.'),
  clusterCount('envoy_cluster_upstream_rq_total', 'Tries that were sent.'),
  clusterCount('envoy_cluster_upstream_rq_pending_overflow', 'Requests that circuit breakers refused.'),
  clusterCount('envoy_cluster_upstream_cx_connect_fail', 'Connections that could not be made.'),
  clusterState('envoy_cluster_upstream_cx_active', 'Open connections to endpoints.'),
  clusterState('envoy_cluster_outlier_detection_ejections_active', 'Endpoints that outlier detection has put out.'),
  clusterState('envoy_cluster_membership_healthy', 'Endpoints that may be chosen.'),
  clusterState('envoy_cluster_membership_total', 'Endpoints.'),
  of('proxy', 'gauge', 'number')('envoy_control_plane_connected_state', '1 while the stream to the pilot is open.'),
  of(
    'proxy',
    'gauge',
    'seconds',
  )('envoy_workload_identity_expires_at_seconds', "When the workload's certificate ends, since 1970."),
  of(
    'proxy',
    'counter',
    'events',
  )('envoy_workload_identity_renewal_failures', 'Renewals of the certificate that failed.'),
  of('proxy', 'counter', 'events')('envoy_server_worker_restarts', 'Threads that ended and were started again.'),
  pilotState('pilot_xds', 'Proxies with an open stream.'),
  of('pilot', 'counter', 'pushes', ['type'])('pilot_xds_pushes', 'Responses with resources, by type of resource.'),
  of('pilot', 'counter', 'bytes', ['type'])('pilot_xds_push_bytes_total', 'Bytes of resources that were pushed.'),
  of('pilot', 'counter', 'refusals', ['type'])('pilot_total_xds_rejects', 'Pushes that proxies refused.'),
  of('pilot', 'counter', 'events', ['type'])(
    'pilot_xds_expired_nonce',
    'Answers of proxies to a push before the last.',
  ),
  pilotTime('pilot_proxy_convergence_time', 'From a change to the last acknowledgement of it by a proxy.'),
  pilotTime('pilot_debounce_time', 'From a change to the translation that holds it.'),
  of('pilot', 'histogram', 'seconds', ['type'])('pilot_xds_push_time', 'What it takes to make and send a push.'),
  of('pilot', 'gauge', 'number', ['version'])('pilot_info', '1, with the version of the pilot.'),
  pilotState('pilot_services', 'Services that are known.'),
  pilotState('pilot_virt_services', 'VirtualServices that are known.'),
  pilotState('pilot_generation', 'The number of the configuration that is published.'),
  of('pilot', 'gauge', 'findings', ['severity'])(
    'pilot_findings',
    'Findings in the configuration, as analyze says them.',
  ),
  pilotState('pilot_jwks_failing', 'Key sets of issuers of tokens that cannot be fetched.'),
  pilotCount('citadel_server_csr_count', 'Certificates that were asked for.'),
  pilotCount('citadel_server_success_cert_issuance_count', 'Certificates that were issued.'),
  pilotCount(
    'citadel_server_authentication_failure_count',
    'Requests for certificates whose caller could not prove who it is.',
  ),
  of(
    'pilot',
    'gauge',
    'seconds',
  )('citadel_server_root_cert_expiry_timestamp', 'When the root certificate ends, since 1970.'),
  of('process', 'counter', 'seconds')('process_cpu_seconds_total', 'Processor time.'),
  of('process', 'gauge', 'bytes')('process_resident_memory_bytes', 'Memory that is resident.'),
  processState('process_open_fds', 'Open file descriptors.'),
  of('process', 'gauge', 'bytes')('nodejs_heap_size_used_bytes', "The JavaScript heap's objects."),
  of(
    'process',
    'gauge',
    'seconds',
  )('nodejs_eventloop_lag_p99_seconds', 'How late the event loop of the first thread was since the last scrape.'),
  of('process', 'gauge', 'number')('up', '1 while Prometheus can scrape the program; written by Prometheus itself.'),
]

/** Series in Prometheus -> the labels that they may have. */
export function seriesOf(entry: CatalogueEntry): Map<string, ReadonlySet<string>> {
  const labels = [...entry.labels, ...SCRAPE_LABELS]
  if (entry.type !== 'histogram') return new Map([[entry.name, new Set(labels)]])
  return new Map([
    [`${entry.name}_bucket`, new Set([...labels, 'le'])],
    [`${entry.name}_sum`, new Set(labels)],
    [`${entry.name}_count`, new Set(labels)],
  ])
}
