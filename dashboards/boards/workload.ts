import { row } from '../model/build.ts'
import type { Dashboard } from '../model/dashboard.ts'
import { breakdown, outlook } from './calls.ts'
import { namespaceChoice, peerChoice, reporterChoice, workloadChoice } from './choices.ts'

const SERVED = ['destination_workload_namespace=~"$namespace"', 'destination_workload=~"$workload"']
const SENT = ['source_workload_namespace=~"$namespace"', 'source_workload=~"$workload"']

export const workload: Dashboard = {
  uid: 'lateen-workload',
  title: 'Lateen workload',
  description: 'One workload: what it serves and to whom, and what it calls.',
  variables: [
    namespaceChoice(),
    workloadChoice(),
    reporterChoice(),
    peerChoice('source', 'Inbound from', 'source_workload', `{${SERVED.join(', ')}}`),
    peerChoice('destination', 'Outbound to', 'destination_service', `{${SENT.join(', ')}}`),
  ],
  rows: [
    row('What it serves', outlook({ of: 'Incoming', by: [], matchers: ['reporter=~"$reporter"', ...SERVED] })),
    row(
      'Inbound, by source',
      breakdown({
        of: 'Inbound',
        by: ['source_workload', 'source_workload_namespace'],
        matchers: ['reporter=~"$reporter"', ...SERVED, 'source_workload=~"$source"'],
      }),
    ),
    row(
      'Outbound, by destination',
      breakdown({
        of: 'Outbound',
        by: ['destination_service'],
        matchers: ['reporter="source"', ...SENT, 'destination_service=~"$destination"'],
      }),
    ),
  ],
}
