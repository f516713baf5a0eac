import { JOBS } from '../catalogue.ts'
import { graph, query, row } from '../model/build.ts'
import type { Dashboard, Panel } from '../model/dashboard.ts'
import { quantileBy, rateBy } from '../model/promql.ts'
import { programPanels } from './programs.ts'

const PROXY = `job="${JOBS.proxy}"`

const cost: Panel[] = [
  graph(
    {
      title: 'Cores per 1000 requests per second',
      shows: 'What proxies take for a thousand requests per second, each request counted by the proxies of both ends.',
      act: 'A rise after an upgrade or a new filter is what that costs; compare with the time before.',
    },
    'short',
    [
      query(
        `sum(rate(process_cpu_seconds_total{${PROXY}}[$__rate_interval])) / (${rateBy([], 'istio_requests_total')} / 1000 > 0)`,
        'cores',
      ),
    ],
  ),
  graph(
    {
      title: 'Bytes of TCP and of bodies',
      shows: 'Bytes per second through the proxies.',
      act: 'Bodies cost more than requests: where it is high, look for bulk traffic that need not pass.',
    },
    'Bps',
    [
      query(rateBy([], 'istio_response_bytes_sum'), 'response bodies'),
      query(rateBy([], 'istio_request_bytes_sum'), 'request bodies'),
      query(rateBy([], 'istio_tcp_sent_bytes_total'), 'TCP sent'),
    ],
  ),
  graph(
    {
      title: 'Series',
      shows: 'Series that each proxy has for the calls it counts.',
      act: 'Near the bound labels are dropped: take labels away by a Telemetry resource.',
    },
    'short',
    [query('lateen_metrics_series', '{{pod}} {{instance}}')],
  ),
  graph(
    {
      title: 'Series refused',
      shows: 'Series per second that were over the bound.',
      act: 'Any: find the label with many values (paths, versions) and take it away.',
    },
    'ops',
    [query(rateBy(['pod', 'instance'], 'lateen_metrics_overflow_total'), '{{pod}} {{instance}}')],
  ),
  graph(
    {
      title: 'gRPC messages',
      shows: 'Messages of gRPC streams per second, both ways.',
      act: 'When requests are few and messages many, the load is in streams: balance by connections.',
    },
    'ops',
    [
      query(rateBy([], 'istio_request_messages_total'), 'from clients'),
      query(rateBy([], 'istio_response_messages_total'), 'from servers'),
    ],
  ),
  graph(
    {
      title: 'TCP connections',
      shows: 'TCP connections opened and closed per second.',
      act: 'Many of both at once are clients that do not keep connections: give them a pool.',
    },
    'ops',
    [
      query(rateBy([], 'istio_tcp_connections_opened_total'), 'opened'),
      query(rateBy([], 'istio_tcp_connections_closed_total'), 'closed'),
    ],
  ),
]

const upstream: Panel[] = [
  graph(
    {
      title: 'Time of upstreams',
      shows: 'The slowest hundredth of requests by cluster.',
      act: 'Compare with the time of clients: the difference is spent in the proxy.',
    },
    'ms',
    [query(quantileBy(0.99, ['envoy_cluster_name'], 'envoy_cluster_upstream_rq_time'), '{{envoy_cluster_name}}')],
  ),
  graph(
    {
      title: 'Time of clients',
      shows: 'The slowest hundredth of requests by listener.',
      act: 'Compare with the time of upstreams.',
    },
    'ms',
    [
      query(
        quantileBy(0.99, ['envoy_http_conn_manager_prefix'], 'envoy_http_downstream_rq_time'),
        '{{envoy_http_conn_manager_prefix}}',
      ),
    ],
  ),
  graph(
    {
      title: 'Retries',
      shows: 'The part of all tries that are retries.',
      act: 'Above a fifth retries make an outage worse: `lateen simulate` shows by how much.',
    },
    'percentunit',
    [
      query(
        `${rateBy([], 'envoy_cluster_upstream_rq_retry')} / (${rateBy([], 'envoy_cluster_upstream_rq_total')} > 0)`,
        'retries',
      ),
    ],
  ),
  graph(
    {
      title: 'Refused by circuit breakers',
      shows: 'Requests per second that were refused by cluster.',
      act: 'Raise the limits of the DestinationRule only if the upstream has room.',
    },
    'reqps',
    [query(rateBy(['envoy_cluster_name'], 'envoy_cluster_upstream_rq_pending_overflow'), '{{envoy_cluster_name}}')],
  ),
  graph(
    {
      title: 'Connections that fail',
      shows: 'Connections per second that could not be made.',
      act: 'An endpoint that is gone but still listed: look at what registers it.',
    },
    'ops',
    [query(rateBy(['envoy_cluster_name'], 'envoy_cluster_upstream_cx_connect_fail'), '{{envoy_cluster_name}}')],
  ),
  graph(
    {
      title: 'Endpoints out',
      shows: 'Endpoints that outlier detection has put out.',
      act: '`lateen proxy-config endpoints` says which; look at their own logs.',
    },
    'short',
    [query('max by (envoy_cluster_name) (envoy_cluster_outlier_detection_ejections_active)', '{{envoy_cluster_name}}')],
  ),
  graph(
    {
      title: 'Endpoints that may be chosen',
      shows: 'The part of the endpoints of each cluster that is healthy.',
      act: 'Below one half a cluster may go into panic and use all: start more endpoints.',
    },
    'percentunit',
    [
      query(
        'min by (envoy_cluster_name) (envoy_cluster_membership_healthy / (envoy_cluster_membership_total > 0))',
        '{{envoy_cluster_name}}',
      ),
    ],
  ),
  graph(
    {
      title: 'Under way',
      shows: 'Requests under way and connections open.',
      act: 'Requests that grow while their rate does not are waiting for an upstream.',
    },
    'short',
    [
      query('sum(envoy_http_downstream_rq_active)', 'requests'),
      query('sum(envoy_http_downstream_cx_active)', 'connections of clients'),
      query('sum(envoy_cluster_upstream_cx_active)', 'connections to endpoints'),
    ],
  ),
]

export const performance: Dashboard = {
  uid: 'lateen-performance',
  title: 'Lateen performance',
  description: 'What the mesh costs, and where requests wait.',
  variables: [],
  rows: [
    row('Cost', cost),
    row('Upstreams', upstream),
    row('Proxies', programPanels('Proxies', JOBS.proxy)),
    row('Pilot', programPanels('Pilot', JOBS.pilot)),
  ],
}
