import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { ClusterSchema } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { keySetOf, makeKey, makeToken, tampered } from '../../test/support/tokens.ts'
import { compileCluster } from '../plan/compile/cluster.ts'
import { EMPTY_PLAN, type Plan } from '../plan/plan.ts'
import { listenerPlan, typed } from '../plan/testing.ts'
import { explainCall } from './explain.ts'

const key = makeKey('k', 'ES256')
const GOOD = makeToken(key, { iss: 'a', sub: 'alice' })

function planOf(source: object): Plan {
  const jwt = typed('filters.http.jwt_authn.v3.JwtAuthentication', {
    providers: { p: { issuer: 'a', ...source } },
    rules: [{ match: { prefix: '/' }, requires: { providerName: 'p' } }],
  })
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    httpFilters: [
      { name: 'jwt', typedConfig: jwt },
      { name: 'router', typedConfig: typed('filters.http.router.v3.Router') },
    ],
    routeConfig: {
      virtualHosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'c' } }] }],
    },
  })
  const listener = listenerPlan({ filterChains: [{ filters: [{ name: 'http', typedConfig: manager }] }] })
  const endpoint = { address: { socketAddress: { address: '127.0.0.1', portValue: 1 } } }
  const json = { name: 'c', loadAssignment: { clusterName: 'c', endpoints: [{ lbEndpoints: [{ endpoint }] }] } }
  const cluster = compileCluster(fromJson(ClusterSchema, json as JsonValue), '1')
  return { ...EMPTY_PLAN, listeners: new Map([['l', listener]]), clusters: new Map([['c', cluster]]) }
}

const explain = (plan: Plan, token: string) =>
  explainCall(plan, {
    method: 'GET',
    url: new URL('http://h/'),
    headers: [['authorization', `Bearer ${token}`]],
    direction: 'gateway',
    destination: '127.0.0.1:0',
    resolvedAddress: '',
    protocol: 'http',
    tls: 'none',
    sni: '',
    alpn: [],
    peer: '',
    randomValue: 0,
    faultDraw: 0,
  })

test('a token is checked by keys that are written out', async () => {
  const plan = planOf({ localJwks: { inlineString: keySetOf([key]) } })
  const good = await explain(plan, GOOD)
  expect([good.error, good.asks, good.cluster, good.requestHeaders?.authorization]).toEqual([
    null,
    null,
    'c',
    undefined,
  ])
  const bad = await explain(plan, tampered(GOOD, 2))
  expect([bad.error, bad.directResponse?.status, bad.directResponse?.body]).toEqual([
    null,
    401,
    'Jwt verification fails',
  ])
})

test('nobody is asked for keys, but who would be is named', async () => {
  const plan = planOf({ remoteJwks: { httpUri: { uri: 'http://k/', cluster: 'keys', timeout: '1s' } } })
  const { asks, directResponse, requestHeaders } = await explain(plan, GOOD)
  expect([asks, directResponse, requestHeaders]).toEqual(['cluster keys for the keys of a', null, null])
})
