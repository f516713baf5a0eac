import { fromBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { ClusterSchema } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ClusterLoadAssignmentSchema } from '../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { TYPE_URL } from '../../api/type-urls.ts'
import { Memo } from '../memo.ts'
import { resolveNode } from '../mesh/node.ts'
import { scopeOfNode } from '../mesh/scope.ts'
import { generationOf, istio, node } from '../testing/mesh.ts'
import { ScopedView } from './scoped-view.ts'

/** A gateway that passes TLS on, before endpoints of which one has a proxy, one has none, and one's proxy takes plain text only. */

const SECURED = { 'security.istio.io/tlsMode': 'istio' }
const entry = (name: string, resolution: string, addresses: readonly string[]) =>
  istio('ServiceEntry', name, {
    hosts: [`${name}.internal`],
    location: 'MESH_INTERNAL',
    resolution,
    ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
    endpoints: addresses.map((address, i) => ({ address, labels: [SECURED, {}, { ...SECURED, app: 'plain' }][i] })),
  })
const disabled = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: plain }
spec: { selector: { matchLabels: { app: plain } }, mtls: { mode: DISABLE } }
---
`
const tls = { mode: 'AUTO_PASSTHROUGH' }
const servers = [{ port: { number: 15443, name: 'tls', protocol: 'TLS' }, hosts: ['*.internal'], tls }]
const yaml = [
  entry('a', 'STATIC', ['10.0.0.1', '10.0.0.2', '10.0.0.3']),
  entry('b', 'DNS', ['one.example', 'two.example', 'three.example']),
  disabled,
  istio('Gateway', 'gw', { selector: { app: 'gw' }, servers }),
].join('')

function viewOf(more = '', enableAutoMtls = true): ScopedView {
  const generation = generationOf(yaml + more, { enableAutoMtls })
  const memo = new Memo()
  const proxy = resolveNode(node({ type: 'router' }, { LABELS: { app: 'gw' } }), generation.registry.workloads)
  return new ScopedView(scopeOfNode(proxy, generation, memo), generation, memo)
}

function addressesOf(view: ScopedView, name: string): string[] {
  const own = view.get(TYPE_URL.cluster, name)
  const cluster = own && fromBinary(ClusterSchema, own.bytes)
  const apart = view.get(TYPE_URL.endpoint, name)
  const assignment = apart ? fromBinary(ClusterLoadAssignmentSchema, apart.bytes) : cluster?.loadAssignment
  return (assignment?.endpoints ?? []).flatMap(({ lbEndpoints }) =>
    lbEndpoints.map(({ hostIdentifier: { value } }) => {
      const address = typeof value === 'object' ? value.address?.address : undefined
      return address?.case === 'socketAddress' ? address.value.address : ''
    }),
  )
}

const PASSED = 'outbound_.80_._.a.internal'

test('what is passed on goes only to endpoints that are called by mutual TLS', () => {
  const view = viewOf()
  expect(addressesOf(view, PASSED)).toEqual(['10.0.0.1'])
  expect(addressesOf(view, 'outbound_.80_._.b.internal')).toEqual(['one.example'])
  // The gateway itself knows how to call the others.
  expect(addressesOf(view, 'outbound|80||a.internal')).toHaveLength(3)
  expect(addressesOf(view, 'outbound|80||b.internal')).toHaveLength(3)
})

test('a rule that asks for mutual TLS has all of them called so', () => {
  const rule = (mode: string) => istio('DestinationRule', 'a', { host: 'a.internal', trafficPolicy: { tls: { mode } } })
  expect(addressesOf(viewOf(rule('ISTIO_MUTUAL')), PASSED)).toHaveLength(3)
  expect(addressesOf(viewOf(rule('ISTIO_MUTUAL'), false), PASSED)).toHaveLength(3)
  expect(addressesOf(viewOf(rule('DISABLE')), PASSED)).toEqual(['10.0.0.1'])
  expect(addressesOf(viewOf('', false), PASSED)).toEqual([])
})
