import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { ClusterLoadAssignmentSchema } from '../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { compileEndpoints } from '../plan/compile/endpoints.ts'
import { EMPTY_PLAN } from '../plan/plan.ts'
import { clusterPlan, typed } from '../plan/testing.ts'
import { explainTls } from './explain-tls.ts'

const ID = 'spiffe://cluster.local/ns/default/sa/ratings'
const agent = (name: string) => {
  const grpcServices = [{ envoyGrpc: { clusterName: 'sds-grpc' } }]
  return { name, sdsConfig: { apiConfigSource: { apiType: 'GRPC', grpcServices } } }
}
const mesh = {
  name: 'tls',
  typedConfig: typed('transport_sockets.tls.v3.UpstreamTlsContext', {
    sni: 'outbound_.80_._.ratings',
    commonTlsContext: {
      tlsCertificateSdsSecretConfigs: [agent('default')],
      combinedValidationContext: {
        defaultValidationContext: { matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { exact: ID } }] },
        validationContextSdsSecretConfig: agent('ROOTCA'),
      },
    },
  }),
}
const transportSocketMatches = [
  { name: 'istio', match: { tlsMode: 'istio' }, transportSocket: mesh },
  { name: 'plain', match: {} },
]

function tlsOf(fields: object, ...endpoints: ('istio' | 'plain')[]) {
  const lbEndpoints = endpoints.map((mode, i) => ({
    endpoint: { address: { socketAddress: { address: `10.0.0.${i + 1}`, portValue: 80 } } },
    ...(mode === 'istio' && { metadata: { filterMetadata: { 'envoy.transport_socket_match': { tlsMode: 'istio' } } } }),
  }))
  const json = { clusterName: 'c', endpoints: [{ lbEndpoints }] } as unknown as JsonValue
  const found = compileEndpoints(fromJson(ClusterLoadAssignmentSchema, json))
  const cluster = clusterPlan({ type: 'EDS', edsClusterConfig: { edsConfig: { ads: {} } }, ...fields })
  return explainTls({ ...EMPTY_PLAN, endpoints: new Map([['c', found]]) }, cluster)
}

const MUTUAL = { mode: 'mtls', sni: 'outbound_.80_._.ratings', peer: ID }

test('a cluster says how its hosts are called, whom it expects, and what it asks for', () => {
  expect(tlsOf({ transportSocket: mesh }, 'plain')).toEqual(MUTUAL)
  expect(tlsOf({}, 'istio')).toEqual({ mode: 'none', sni: '', peer: '' })
  const simple = {
    name: 'tls',
    typedConfig: typed('transport_sockets.tls.v3.UpstreamTlsContext', { sni: 'a.example' }),
  }
  expect(tlsOf({ transportSocket: simple }, 'plain')).toEqual({ mode: 'tls', sni: 'a.example', peer: '' })
})

test('where its hosts say it themselves, they do', () => {
  expect(tlsOf({ transportSocketMatches }, 'istio', 'istio')).toEqual(MUTUAL)
  expect(tlsOf({ transportSocketMatches }, 'plain')).toEqual({ mode: 'none', sni: '', peer: '' })
  expect(tlsOf({ transportSocketMatches }, 'istio', 'plain')).toEqual({ ...MUTUAL, mode: 'mixed' })
})
