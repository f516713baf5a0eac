import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { ClusterSchema } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { compileCluster } from '../plan/compile/cluster.ts'
import { EMPTY_PLAN, type Plan } from '../plan/plan.ts'
import { listenerPlan, typed } from '../plan/testing.ts'
import { explainCall } from './explain.ts'

function planOf(lbPolicy: string): Plan {
  const hashPolicy = [
    { header: { headerName: 'x-user' } },
    { connectionProperties: { sourceIp: true }, terminal: true },
  ]
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    httpFilters: [{ name: 'router', typedConfig: typed('filters.http.router.v3.Router') }],
    routeConfig: {
      virtualHosts: [
        { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'c', hashPolicy } }] },
      ],
    },
  })
  const listener = listenerPlan({ filterChains: [{ filters: [{ name: 'http', typedConfig: manager }] }] })
  const cluster = compileCluster(fromJson(ClusterSchema, { name: 'c', lbPolicy } as JsonValue), '1')
  return { ...EMPTY_PLAN, listeners: new Map([['l', listener]]), clusters: new Map([['c', cluster]]) }
}

const explain = (lbPolicy: string) =>
  explainCall(planOf(lbPolicy), {
    method: 'GET',
    url: new URL('http://h/'),
    headers: [['x-user', 'alice']],
    direction: 'gateway',
    destination: '127.0.0.1:0',
    resolvedAddress: '',
    protocol: 'http',
    tls: 'none',
    sni: '',
    alpn: [],
    peer: '',
    sourceIp: '192.0.2.1',
    randomValue: 0,
    faultDraw: 0,
  })

test('it is said how a host is chosen, and of what the hash is', async () => {
  const { balancer, hash } = await explain('MAGLEV')
  expect(balancer).toBe('maglev')
  expect(hash).toEqual({
    of: ['header x-user', "the client's address"],
    value: expect.stringMatching(/^[0-9a-f]{16}$/),
  })
})

test('where the cluster does not look at hashes there is none', async () => {
  const { balancer, hash } = await explain('LEAST_REQUEST')
  expect([balancer, hash]).toEqual(['least_request', null])
})
