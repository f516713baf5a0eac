import { graph, query, row, stat, table } from '../model/build.ts'
import type { Dashboard } from '../model/dashboard.ts'
import { RECORDED, recordedQuantile } from '../rules/recorded.ts'

const BY_WORKLOAD = 'destination_workload, destination_workload_namespace'
const AT_DESTINATION = '{reporter="destination"}'
const { meshRequests, workloadRequests, workloadSuccess, workloadTcpSent, workloadTcpReceived, workloadDuration } =
  RECORDED

function codes(pattern: string): string {
  const all = `sum(${meshRequests}{reporter="source"})`
  return `(sum(${meshRequests}{reporter="source", response_code=~"${pattern}"}) or 0 * ${all}) / (${all} > 0)`
}

function byWorkload(name: string): string {
  return `sum by (${BY_WORKLOAD}) (${name}${AT_DESTINATION})`
}

function workloadQuantile(q: number): string {
  return recordedQuantile(q, BY_WORKLOAD, workloadDuration, AT_DESTINATION)
}

/** Everything at once, from recorded series only: it costs the same with ten proxies and with ten thousand. */
export const mesh: Dashboard = {
  uid: 'lateen-mesh',
  title: 'Lateen mesh',
  description: 'The whole mesh: volume, success, and every workload. It needs the recording rules.',
  variables: [],
  rows: [
    row('Overview', [
      stat(
        {
          title: 'Requests',
          shows: 'Requests per second that workloads send.',
          act: 'Compare with the same hour of yesterday.',
        },
        'reqps',
        `sum(${meshRequests}{reporter="source"})`,
        { width: 6 },
      ),
      stat(
        {
          title: 'Success',
          shows: 'The part of all requests without an error of the server, errors of gRPC counted.',
          act: 'When it falls, sort the table below by success to find the workload.',
        },
        'percentunit',
        RECORDED.meshSuccess,
        { width: 6 },
      ),
      stat(
        {
          title: '4xx',
          shows: "The part of requests that was the caller's mistake.",
          act: 'For 403 and 401 ask `lateen authz check`; for 404 `lateen explain`.',
        },
        'percentunit',
        codes('4..'),
        { width: 6 },
      ),
      stat(
        {
          title: '5xx',
          shows: 'The part of requests that the server or the way to it failed.',
          act: 'Open the service dashboard of the worst workload below.',
        },
        'percentunit',
        codes('5..'),
        { width: 6 },
      ),
      graph(
        {
          title: 'Requests by code',
          shows: 'Requests per second of the whole mesh by code.',
          act: 'A step in one code at the time of a change of configuration is a reason to take the change back.',
        },
        'reqps',
        [query(`sum by (response_code) (${meshRequests}{reporter="source"})`, '{{response_code}}')],
        { width: 24 },
      ),
    ]),
    row('Workloads', [
      table(
        {
          title: 'HTTP and gRPC workloads',
          shows: 'What each workload serves, over five minutes, as its own sidecar counts it.',
          act: 'Sort by success or by p99, then open the workload dashboard of the first.',
        },
        [
          query(byWorkload(workloadRequests), 'Requests', 'reqps'),
          query(workloadQuantile(0.5), 'p50', 'ms'),
          query(workloadQuantile(0.9), 'p90', 'ms'),
          query(workloadQuantile(0.99), 'p99', 'ms'),
          query(`min by (${BY_WORKLOAD}) (${workloadSuccess}${AT_DESTINATION})`, 'Success', 'percentunit'),
        ],
        { height: 12 },
      ),
      table(
        {
          title: 'TCP workloads',
          shows: 'Bytes per second of plain TCP, over five minutes.',
          act: 'A workload that sends nothing while it receives is stuck: look at its process.',
        },
        [query(byWorkload(workloadTcpReceived), 'Received', 'Bps'), query(byWorkload(workloadTcpSent), 'Sent', 'Bps')],
      ),
    ]),
    row('Versions', [
      graph(
        {
          title: 'Versions of components',
          shows: 'How many proxies and pilots run which version.',
          act: 'More than one version for longer than an upgrade takes means that some were not restarted.',
        },
        'short',
        [query('sum by (component, tag) (istio_build)', '{{component}} {{tag}}')],
        { width: 24 },
      ),
    ]),
  ],
}
