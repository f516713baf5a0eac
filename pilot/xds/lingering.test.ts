import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '../../api/gen/envoy/service/discovery/v3/discovery_pb.js'
import { SHORT_TYPE, TYPE_URL, type TypeUrl } from '../../api/type-urls.ts'
import { ManualClock } from '../../lib/clock.ts'
import { DeltaStream } from './delta-stream.ts'
import type { Message } from './message.ts'
import { decodeSotwRequest } from './sotw-request.ts'
import { SotwStream } from './sotw-stream.ts'
import type { EncodedResource, ResourceView } from './view.ts'

const resource = (name: string, version = '1'): EncodedResource => ({ name, version, bytes: Buffer.from(version) })

function viewOf(resources: Partial<Record<TypeUrl, readonly EncodedResource[]>>): ResourceView {
  const list = (type: TypeUrl) => resources[type] ?? []
  return { generation: 1, list, get: (type, name) => list(type).find((r) => r.name === name) }
}

const listeners = [resource('l')]
const stay = resource('stay')
const goes = resource('goes')
const newestRoute = resource('80', '3')
const before = viewOf({
  [TYPE_URL.cluster]: [stay, goes],
  [TYPE_URL.listener]: listeners,
  [TYPE_URL.route]: [resource('80', '1')],
})
const after = viewOf({
  [TYPE_URL.cluster]: [stay],
  [TYPE_URL.listener]: listeners,
  [TYPE_URL.route]: [resource('80', '2')],
})
const newest = viewOf({
  [TYPE_URL.cluster]: [stay, goes],
  [TYPE_URL.listener]: listeners,
  [TYPE_URL.route]: [newestRoute],
})
/** Of another generation, with the same resources. */
const alike = { ...newest, generation: 2 }
const counters = {
  pushes: () => {},
  pushTook: () => {},
  rejects: () => {},
  expiredNonce: () => {},
  converged: () => {},
}
const node = { id: 'n', cluster: '', metadata: {} }

/** What was written to a client, and not yet answered. */
interface Sent {
  type: TypeUrl
  what: string
  nonce: string
}

/** Acknowledges everything, also what comes of it; returns what was sent. */
function settle(sent: Sent[], acknowledge: (one: Sent) => void): string[] {
  const all: string[] = []
  for (let next = sent.shift(); next !== undefined; next = sent.shift()) {
    all.push(`${SHORT_TYPE[next.type]} ${next.what}`)
    acknowledge(next)
  }
  return all
}

test('a cluster that goes is taken away once the routes that no longer name it are acknowledged', () => {
  const sent: Sent[] = []
  const write = (message: Message) => {
    const { typeUrl, nonce, resources, removedResources } = fromBinary(DeltaDiscoveryResponseSchema, message.bytes())
    const parts = [...resources.map((r) => `${r.name} ${r.version}`), ...removedResources.map((name) => `-${name}`)]
    sent.push({ type: typeUrl as TypeUrl, what: parts.join(', '), nonce })
    return true
  }
  const clock = new ManualClock()
  const converged: number[] = []
  const counting = { ...counters, converged: (ms: number) => void converged.push(ms) }
  const stream = new DeltaStream(node, before, { write }, clock, counting)
  const request = (typeUrl: TypeUrl, fields: object) =>
    stream.onRequest(typeUrl, { message: create(DeltaDiscoveryRequestSchema, { typeUrl, ...fields }) })
  const acknowledge = ({ type, nonce }: Sent) => request(type, { responseNonce: nonce })
  request(TYPE_URL.cluster, {})
  request(TYPE_URL.listener, {})
  request(TYPE_URL.route, { resourceNamesSubscribe: ['80'] })
  expect(settle(sent, acknowledge)).toEqual(['CDS stay 1, goes 1', 'LDS l 1', 'RDS 80 1'])
  stream.setView(after, clock.nowMs())
  clock.advance(40)
  expect(settle(sent, acknowledge)).toEqual(['RDS 80 2', 'CDS -goes'])
  expect(converged).toEqual([40])
  // Of two changes that are taken as one the older counts; of one that means nothing to the client, nothing.
  stream.setView(before, clock.nowMs())
  clock.advance(5)
  stream.setView(newest, clock.nowMs())
  clock.advance(7)
  expect(settle(sent, acknowledge)).toEqual(['CDS goes 1', 'RDS 80 1', 'RDS 80 3'])
  stream.setView(alike, clock.nowMs())
  expect(settle(sent, acknowledge)).toEqual([])
  expect(converged).toEqual([40, 12])
})

test('in the state of the world too', () => {
  const sent: Sent[] = []
  const write = (message: Message) => {
    const { typeUrl, nonce, resources } = fromBinary(DiscoveryResponseSchema, message.bytes())
    sent.push({ type: typeUrl as TypeUrl, what: `${resources.length}`, nonce })
    return true
  }
  const stream = new SotwStream(node, before, { write }, new ManualClock(), counters)
  const request = (typeUrl: TypeUrl, responseNonce: string) => {
    const resourceNames = typeUrl === TYPE_URL.route ? ['80'] : []
    const message = create(DiscoveryRequestSchema, { typeUrl, responseNonce, resourceNames })
    stream.onRequest(typeUrl, decodeSotwRequest(toBinary(DiscoveryRequestSchema, message)))
  }
  const acknowledge = ({ type, nonce }: Sent) => request(type, nonce)
  for (const type of [TYPE_URL.cluster, TYPE_URL.listener, TYPE_URL.route]) request(type, '')
  expect(settle(sent, acknowledge)).toEqual(['CDS 2', 'LDS 1', 'RDS 1'])
  stream.setView(after)
  expect(settle(sent, acknowledge)).toEqual(['RDS 1', 'CDS 1'])
})

test('a route waits for the cluster that it names, though another view came before the clusters were answered', () => {
  const sent: Sent[] = []
  const write = (message: Message) => {
    const { typeUrl, nonce, resources, removedResources } = fromBinary(DeltaDiscoveryResponseSchema, message.bytes())
    const parts = [...resources.map((r) => `${r.name} ${r.version}`), ...removedResources.map((name) => `-${name}`)]
    sent.push({ type: typeUrl as TypeUrl, what: parts.join(', '), nonce })
    return true
  }
  const view = (clusters: string[], route: string) =>
    viewOf({
      [TYPE_URL.cluster]: clusters.map((name) => resource(name)),
      [TYPE_URL.listener]: listeners,
      [TYPE_URL.route]: [resource('80', route)],
    })
  const stream = new DeltaStream(node, view(['a'], '1'), { write }, new ManualClock(), counters)
  const request = (typeUrl: TypeUrl, fields: object) =>
    stream.onRequest(typeUrl, { message: create(DeltaDiscoveryRequestSchema, { typeUrl, ...fields }) })
  const acknowledge = ({ type, nonce }: Sent) => request(type, { responseNonce: nonce })
  request(TYPE_URL.cluster, {})
  request(TYPE_URL.listener, {})
  request(TYPE_URL.route, { resourceNamesSubscribe: ['80'] })
  settle(sent, acknowledge)
  stream.setView(view(['a', 'b'], '1'))
  stream.setView(view(['a', 'b', 'c'], '2'))
  // Takes c away again before the route that names it was sent.
  stream.setView(view(['a', 'b'], '3'))
  expect(settle(sent, acknowledge)).toEqual(['CDS b 1', 'CDS c 1', 'RDS 80 2', 'RDS 80 3', 'CDS -c'])
})
