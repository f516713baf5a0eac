import { graph, row, stat } from '../model/build.ts'
import type { Dashboard, Panel } from '../model/dashboard.ts'
import { quantileBy, rateBy, successBy, UNROUTABLE } from '../model/promql.ts'
import { breakdown, outlook } from './calls.ts'
import { reporterChoice, serviceChoice, versionChoice } from './choices.ts'

const SERVICE = ['destination_service=~"$service"', 'reporter=~"$reporter"']
const OLD = [...SERVICE, 'destination_version=~"$old"']
const NEW = [...SERVICE, 'destination_version=~"$new"']
const BOTH = [...SERVICE, 'destination_version=~"$old|$new"']
const DURATION = 'istio_request_duration_milliseconds'
const p99 = (matchers: readonly string[]) => quantileBy(0.99, [], DURATION, matchers)

function share(): string {
  const all = rateBy([], 'istio_requests_total', BOTH)
  return `(${rateBy([], 'istio_requests_total', NEW)} or 0 * ${all}) / (${all} > 0)`
}

const verdict: Panel[] = [
  stat(
    {
      title: 'Share of the new version',
      shows: 'The part of the requests that goes to the new version.',
      act: 'It should be the weight of the route; if it is not, `lateen explain` says which rule decides.',
    },
    'percentunit',
    share(),
    { width: 8 },
  ),
  stat(
    {
      title: 'Success, new less old',
      shows: 'How much more of its requests the new version answers without an error.',
      act: 'Below zero by more than the noise of the old version: put the weight back to the old version.',
    },
    'percentunit',
    `${successBy([], NEW)} - ${successBy([], OLD)}`,
    { width: 8 },
  ),
  stat(
    {
      title: 'p99, new over old',
      shows: 'How many times as long the slowest hundredth of requests takes with the new version.',
      act: 'Above 1.2 for long, wait with the next step and look at the durations below.',
    },
    'short',
    `${p99(NEW)} / ${p99(OLD)}`,
    { width: 8 },
  ),
]

const together: Panel[] = [
  graph(
    {
      title: 'Requests by version',
      shows: 'Requests per second that each version serves.',
      act: 'After a step the lines should meet the weights within seconds; else look whether proxies accepted the change.',
    },
    'reqps',
    [{ expression: rateBy(['destination_version'], 'istio_requests_total', BOTH), legend: '{{destination_version}}' }],
  ),
  graph(
    {
      title: 'Success by version',
      shows: 'The part of requests that succeeded, errors of gRPC counted.',
      act: 'The new version must not be below the old; if it is, put the weight back.',
    },
    'percentunit',
    [{ expression: successBy(['destination_version'], BOTH), legend: '{{destination_version}}' }],
  ),
  graph(
    {
      title: 'Not routed, by flag',
      shows: 'Requests per second to the service for which the proxy of the caller found no endpoint or no route.',
      act: 'UH and NC after a step: the subset has no endpoints, or the DestinationRule does not name it.',
    },
    'reqps',
    [
      {
        expression: rateBy(['response_flags'], 'istio_requests_total', [
          'destination_service=~"$service"',
          'reporter="source"',
          ...UNROUTABLE,
        ]),
        legend: '{{response_flags}}',
      },
    ],
  ),
]

/** A release while it happens: the old version beside the new one. */
export const release: Dashboard = {
  uid: 'lateen-release',
  title: 'Lateen release',
  description: 'Two versions of one service side by side: whether to go on, wait, or go back.',
  variables: [
    serviceChoice(),
    reporterChoice(),
    versionChoice('old', 'Old version'),
    versionChoice('new', 'New version'),
  ],
  rows: [
    row('Go on, or back', verdict),
    row('Both', together),
    row('Old version $old', outlook({ of: 'Old', by: [], matchers: OLD })),
    row('New version $new', outlook({ of: 'New', by: [], matchers: NEW })),
    row('Old version $old by client', breakdown({ of: 'Old', by: ['source_workload'], matchers: OLD })),
    row('New version $new by client', breakdown({ of: 'New', by: ['source_workload'], matchers: NEW })),
  ],
}
