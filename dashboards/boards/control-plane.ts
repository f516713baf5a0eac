import { JOBS } from '../catalogue.ts'
import { graph, heatmap, query, row, stat } from '../model/build.ts'
import type { Dashboard, Panel } from '../model/dashboard.ts'
import { quantileBy, rateBy } from '../model/promql.ts'
import { programPanels } from './programs.ts'

const state: Panel[] = [
  stat(
    {
      title: 'Proxies',
      shows: 'Proxies with an open stream.',
      act: 'Fewer than pods with a sidecar: look at their logs.',
    },
    'short',
    'sum(pilot_xds)',
  ),
  stat(
    {
      title: 'Generation',
      shows: 'The number of the configuration that is published.',
      act: 'If a change does not raise it, look at the findings.',
    },
    'short',
    'max(pilot_generation)',
  ),
  stat(
    {
      title: 'Services',
      shows: 'Services that the pilot knows.',
      act: 'A fall means that a source of configuration was lost.',
    },
    'short',
    'max(pilot_services)',
  ),
  stat(
    {
      title: 'VirtualServices',
      shows: 'VirtualServices that the pilot knows.',
      act: 'A fall means that a source of configuration was lost.',
    },
    'short',
    'max(pilot_virt_services)',
  ),
  stat(
    {
      title: 'Errors',
      shows: 'Errors in the configuration.',
      act: '`lateen analyze` gives the file and the line of each.',
    },
    'short',
    'max(pilot_findings{severity="error"})',
  ),
  stat(
    {
      title: 'Root certificate',
      shows: 'When the root certificate ends.',
      act: 'A month before, begin `lateen certs rotate`.',
    },
    'dateTimeFromNow',
    'min(citadel_server_root_cert_expiry_timestamp) * 1000',
  ),
]

const pushes: Panel[] = [
  graph(
    {
      title: 'Pushes',
      shows: 'Pushes per second by type of resource.',
      act: 'Many without changes by hand come from endpoints that flap: look at what restarts.',
    },
    'ops',
    [query(rateBy(['type'], 'pilot_xds_pushes'), '{{type}}')],
  ),
  graph(
    {
      title: 'Refused by proxies',
      shows: 'Pushes per second that a proxy refused.',
      act: '`lateen proxy-status` says which proxy refused what, and why.',
    },
    'ops',
    [query(rateBy(['type'], 'pilot_total_xds_rejects'), '{{type}}')],
  ),
  graph(
    {
      title: 'Late answers',
      shows: 'Answers of proxies to a push before the last, per second.',
      act: 'Many mean that changes come faster than proxies apply them: let changes be fewer.',
    },
    'ops',
    [query(rateBy(['type'], 'pilot_xds_expired_nonce'), '{{type}}')],
  ),
  graph(
    {
      title: 'Bytes pushed',
      shows: 'Bytes of resources per second by type.',
      act: 'Bound what a workload needs by a `Sidecar` resource when it is large.',
    },
    'Bps',
    [query(rateBy(['type'], 'pilot_xds_push_bytes_total'), '{{type}}')],
  ),
  graph(
    {
      title: 'Time to take effect',
      shows: 'From a change to the last acknowledgement by a proxy.',
      act: 'Above a second, compare with the time to push and the processor of the pilot.',
    },
    's',
    [0.5, 0.99].map((q) => query(quantileBy(q, [], 'pilot_proxy_convergence_time'), `p${q * 100}`)),
  ),
  graph(
    {
      title: 'Proxies connected',
      shows: 'Proxies with an open stream, by pilot.',
      act: 'When one pilot has most, restart it at a quiet time so that they spread.',
    },
    'short',
    [query('sum by (instance) (pilot_xds)', '{{instance}}')],
  ),
  heatmap(
    {
      title: 'Time to push',
      shows: 'How long it takes to make and send a push.',
      act: 'A second band far above the first is a type or a proxy of its own: look at the size of its configuration.',
    },
    's',
    rateBy(['le'], 'pilot_xds_push_time_bucket'),
  ),
  heatmap(
    {
      title: 'Time to translate',
      shows: 'From a change to the translation that holds it.',
      act: 'It has the wait for more changes in it; above a second the configuration is large for one pilot.',
    },
    's',
    rateBy(['le'], 'pilot_debounce_time_bucket'),
  ),
]

const certificates: Panel[] = [
  graph(
    {
      title: 'Certificates',
      shows: 'Certificates that were asked for and that were issued, per second.',
      act: 'When more are asked for than issued, look at the log of the pilot for the reason.',
    },
    'ops',
    [
      query(rateBy([], 'citadel_server_csr_count'), 'asked for'),
      query(rateBy([], 'citadel_server_success_cert_issuance_count'), 'issued'),
    ],
  ),
  graph(
    {
      title: 'Callers refused',
      shows: 'Callers per second that could not prove who they are.',
      act: 'Tokens that have ended or are of another mesh: look at the token of the proxy in the log.',
    },
    'ops',
    [query(rateBy([], 'citadel_server_authentication_failure_count'), 'refused')],
  ),
  graph(
    {
      title: 'Key sets that fail',
      shows: 'Key sets of issuers of tokens that cannot be fetched.',
      act: 'Ask the address in `jwksUri` from where the pilot runs; proxies keep the keys that they have.',
    },
    'short',
    [query('max by (instance) (pilot_jwks_failing)', '{{instance}}')],
  ),
]

export const controlPlane: Dashboard = {
  uid: 'lateen-control-plane',
  title: 'Lateen control plane',
  description:
    'The pilot: what it publishes, how fast proxies take it, what they refuse, and the certificates it gives.',
  variables: [],
  rows: [
    row('State', state),
    row('Configuration to proxies', pushes),
    row('Certificates', certificates),
    row('Process', [
      graph(
        {
          title: 'Pilot: versions',
          shows: 'How many pilots run which version.',
          act: 'Two for longer than an upgrade takes: one was not restarted.',
        },
        'short',
        [query('sum by (version) (pilot_info)', '{{version}}')],
      ),
      ...programPanels('Pilot', JOBS.pilot),
    ]),
  ],
}
