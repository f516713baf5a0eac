import { row } from '../model/build.ts'
import type { Dashboard } from '../model/dashboard.ts'
import { breakdown, outlook } from './calls.ts'
import { peerChoice, reporterChoice, serviceChoice } from './choices.ts'

const OF_SERVICE = 'destination_service=~"$service"'
const CLIENT = 'source_workload'
const SERVER = 'destination_workload'

export const service: Dashboard = {
  uid: 'lateen-service',
  title: 'Lateen service',
  description: 'One service: as its callers see it, as it sees itself, and by workload at both ends.',
  variables: [
    serviceChoice(),
    reporterChoice(),
    peerChoice('client_namespace', 'Client namespace', 'source_workload_namespace', `{${OF_SERVICE}}`),
    peerChoice('client', 'Client workload', CLIENT, `{${OF_SERVICE}}`),
    peerChoice('server_namespace', 'Service namespace', 'destination_workload_namespace', `{${OF_SERVICE}}`),
    peerChoice('server', 'Service workload', SERVER, `{${OF_SERVICE}}`),
  ],
  rows: [
    row('As its callers see it', outlook({ of: 'Callers', by: [], matchers: [OF_SERVICE, 'reporter="source"'] })),
    row('As it sees itself', outlook({ of: 'Service', by: [], matchers: [OF_SERVICE, 'reporter="destination"'] })),
    row(
      'By client workload',
      breakdown({
        of: 'Clients',
        by: [CLIENT, 'source_workload_namespace'],
        matchers: [
          OF_SERVICE,
          'reporter=~"$reporter"',
          'source_workload=~"$client"',
          'source_workload_namespace=~"$client_namespace"',
        ],
      }),
    ),
    row(
      'By service workload',
      breakdown({
        of: 'Servers',
        by: [SERVER, 'destination_workload_namespace'],
        matchers: [
          OF_SERVICE,
          'reporter=~"$reporter"',
          'destination_workload=~"$server"',
          'destination_workload_namespace=~"$server_namespace"',
        ],
      }),
    ),
  ],
}
