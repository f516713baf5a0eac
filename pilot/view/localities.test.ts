import { fromBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { ClusterLoadAssignmentSchema } from '../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { TYPE_URL } from '../../api/type-urls.ts'
import { istio, node, publisherOf } from '../testing/mesh.ts'
import type { EncodedResource } from '../xds/view.ts'

/** Which proxies share what they are given, where their localities differ. */

const service = (name: string) =>
  istio('ServiceEntry', name, {
    hosts: [`${name}.internal`],
    resolution: 'STATIC',
    ports: [{ name: 'http', number: 80, protocol: 'HTTP' }],
    endpoints: [
      { address: '10.0.0.1', locality: 'eu/a' },
      { address: '10.0.0.2', locality: 'us/a' },
    ],
  })
const failingOver = istio('DestinationRule', 'near', {
  host: 'near.internal',
  trafficPolicy: { outlierDetection: { consecutive5xxErrors: 1 } },
})

function views(yaml: string) {
  const { publisher } = publisherOf({ 'mesh.yaml': yaml })
  const of = (locality: string, labels = {}) =>
    publisher.viewFor({ ...node({}, { LABELS: { ...labels } }), locality: locality })
  return { eu: of('eu/a'), us: of('us/a'), of }
}

const endpoints = (name: string) => [TYPE_URL.endpoint, `outbound|80||${name}.internal`] as const

test('without outlier detection and shares a locality makes no difference', () => {
  const { eu, us } = views(service('near') + service('plain'))
  expect(eu).toBe(us)
})

test('with it each locality has its own view, and what is alike in them is made once', () => {
  const { eu, us, of } = views(service('near') + service('plain') + failingOver)
  expect(eu).not.toBe(us)
  expect(of('eu/a')).toBe(eu)
  expect(eu.get(...endpoints('plain'))).toBe(us.get(...endpoints('plain')))
  expect(eu.get(...endpoints('near'))).not.toBe(us.get(...endpoints('near')))
  expect(priorities(eu.get(...endpoints('near')))).toEqual({ eu: 0, us: 1 })
  expect(priorities(us.get(...endpoints('near')))).toEqual({ eu: 1, us: 0 })
  expect(eu.list(TYPE_URL.cluster)).toBe(us.list(TYPE_URL.cluster))
})

test('only labels that a rule sorts by make a difference', () => {
  const rule = istio('DestinationRule', 'near', {
    host: 'near.internal',
    trafficPolicy: {
      loadBalancer: { localityLbSetting: { failoverPriority: ['rack', 'zone=1'] } },
      outlierDetection: { consecutive5xxErrors: 1 },
    },
  })
  const { of } = views(service('near') + rule)
  expect(of('', { rack: '1', hash: 'x' })).toBe(of('', { rack: '1', hash: 'y' }))
  expect(of('', { rack: '1' })).not.toBe(of('', { rack: '2' }))
})

test('where a node is: by its label, by its own word, by its workload', () => {
  const { publisher } = publisherOf({ 'mesh.yaml': service('near') })
  const labels = { LABELS: { 'istio-locality': 'a.b.c' } }
  expect(publisher.resolve({ ...node({}, labels), locality: 'x/y' }).locality).toBe('a/b/c')
  expect(publisher.resolve({ ...node(), locality: 'x/y' }).locality).toBe('x/y')
  const topology = {
    'topology.kubernetes.io/region': 'r',
    'topology.kubernetes.io/zone': 'z',
    'topology.istio.io/subzone': 's',
  }
  expect(publisher.resolve(node({}, { LABELS: topology })).locality).toBe('r/z/s')
})

function priorities(resource: EncodedResource | undefined): Record<string, number> {
  const { endpoints } = fromBinary(ClusterLoadAssignmentSchema, resource?.bytes ?? new Uint8Array())
  return Object.fromEntries(endpoints.map((group) => [group.locality?.region ?? '', group.priority]))
}
