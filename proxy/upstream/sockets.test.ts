import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { ClusterLoadAssignmentSchema } from '../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { compileEndpoints } from '../plan/compile/endpoints.ts'
import type { EndpointPlan } from '../plan/plan.ts'
import { NO_SECRETS } from '../plan/secret-plan.ts'
import { clusterPlan, typed } from '../plan/testing.ts'
import { Sockets } from './sockets.ts'

const tls = (sni: string) => ({
  name: 'tls',
  typedConfig: typed('transport_sockets.tls.v3.UpstreamTlsContext', { sni }),
})
const raw = {
  name: 'envoy.transport_sockets.raw_buffer',
  typedConfig: typed('transport_sockets.raw_buffer.v3.RawBuffer'),
}

/** Of a host with this metadata to be matched; undefined for one without. */
function endpoint(match: object | undefined): EndpointPlan {
  const address = { socketAddress: { address: '10.0.0.1', portValue: 80 } }
  const metadata = match && { filterMetadata: { 'envoy.transport_socket_match': match } }
  const lbEndpoint = { endpoint: { address }, ...(metadata && { metadata }) }
  const json = { clusterName: 'c', endpoints: [{ lbEndpoints: [lbEndpoint] }] } as unknown as JsonValue
  return compileEndpoints(fromJson(ClusterLoadAssignmentSchema, json))[0] as EndpointPlan
}

const sockets = new Sockets(
  clusterPlan({
    transportSocket: tls('other'),
    transportSocketMatches: [
      { name: 'mesh', match: { tlsMode: 'istio' }, transportSocket: tls('mesh') },
      { name: 'plain', match: { tlsMode: 'disabled', since: 2 }, transportSocket: raw },
    ],
  }),
  NO_SECRETS,
)
const nameFor = (match: object | undefined) => sockets.of(endpoint(match))?.serverName

test('the first match that the metadata meets with every key says how a host is called', () => {
  expect(nameFor({ tlsMode: 'istio', more: true })).toBe('mesh')
  expect(nameFor({ tlsMode: 'disabled', since: 2 })).toBeUndefined()
  expect(nameFor({ tlsMode: ['x', 'istio'] })).toBe('mesh')
})

test('a host that no match is for is called as the cluster itself says', () => {
  expect(nameFor(undefined)).toBe('other')
  expect(nameFor({ tlsMode: 'disabled' })).toBe('other')
  expect(nameFor({ tlsMode: 'disabled', since: '2' })).toBe('other')
})

test('a match that asks for nothing takes every host', () => {
  const all = new Sockets(
    clusterPlan({ transportSocketMatches: [{ name: 'all', transportSocket: tls('all') }] }),
    NO_SECRETS,
  )
  expect(all.of(endpoint(undefined))?.serverName).toBe('all')
  expect(all.others).toBeUndefined()
})

test('hosts are alike where the same match takes them', () => {
  expect(sockets.areAlike(endpoint({ tlsMode: 'istio' }), endpoint({ tlsMode: 'istio', more: 1 }))).toBe(true)
  expect(sockets.areAlike(endpoint({ tlsMode: 'istio' }), endpoint(undefined))).toBe(false)
})
