import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { afterAll, expect, test } from '@jest/globals'
import { ClusterSchema } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { SecretSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { REGISTRY } from '../../api/registry.ts'
import { TYPE_URL } from '../../api/type-urls.ts'
import { ManualClock } from '../../lib/clock.ts'
import { TestCa } from '../../test/support/certificates.ts'
import { EMPTY_PLAN, type Plan } from '../plan/plan.ts'
import { clusterPlan, typed } from '../plan/testing.ts'
import { type RelayedResources, ResourceSet, type ResourceSetOptions } from './resource-set.ts'
import { MAX_SECRET_BYTES } from './resource-types.ts'
import { ADS_SOURCE, LOCAL_SOURCE, MAX_SECRETS } from './secret-store.ts'

const ca = new TestCa('store')
afterAll(() => ca.remove())
const [a, b] = [ca.issue('a'), ca.issue('b')]

const secret = (name: string, json: object, version = '1') => {
  const message = fromJson(SecretSchema, { name, ...json } as JsonValue)
  return { name, version, typeUrl: TYPE_URL.secret, bytes: toBinary(SecretSchema, message) }
}
const certificate = ({ cert, key }: typeof a) => ({
  tlsCertificate: { certificateChain: { inlineString: cert }, privateKey: { inlineString: key } },
})

/** A cluster that refers to these secrets. */
const clusterJson = (name: string, references: readonly object[]) => {
  const commonTlsContext = { tlsCertificateSdsSecretConfigs: references }
  const typedConfig = typed('transport_sockets.tls.v3.UpstreamTlsContext', { commonTlsContext })
  return { name, type: 'STATIC', transportSocket: { name: 'tls', typedConfig } }
}
const clusterResource = (name: string, reference: object) => {
  const message = fromJson(ClusterSchema, clusterJson(name, [reference]) as JsonValue, { registry: REGISTRY })
  return { name, version: '1', typeUrl: TYPE_URL.cluster, bytes: toBinary(ClusterSchema, message) }
}
const ads = (name: string, initialFetchTimeout = '15s') => ({ name, sdsConfig: { ads: {}, initialFetchTimeout } })
/** Of the workload's own agent, which is this process. */
const agent = (name: string) => {
  const grpcServices = [{ envoyGrpc: { clusterName: 'sds-grpc' } }]
  return { name, sdsConfig: { apiConfigSource: { apiType: 'GRPC', grpcServices } } }
}

function newSet(options: Partial<ResourceSetOptions> = {}) {
  const plans: Plan[] = []
  const set = new ResourceSet(
    {
      clock: new ManualClock(),
      staticClusters: new Map(),
      staticListeners: new Map(),
      publish: async (plan) => plans.push(plan),
      ...options,
    },
    EMPTY_PLAN,
  )
  /** The newest plan, once all that is scheduled has been done. */
  const settle = async () => {
    for (let i = 0; i < 3; i++) await new Promise(setImmediate)
    return plans.at(-1) ?? EMPTY_PLAN
  }
  return { set, settle, plans }
}

test('a plan has the secrets that it refers to, and no others', async () => {
  const { set, settle } = newSet()
  set.acceptSotw('cluster', [clusterResource('c', ads('x'))])
  expect([...set.wantedNames('secret')]).toEqual(['x'])
  expect((await settle()).clusters.size).toBe(0)
  expect(set.acceptSotw('secret', [secret('x', certificate(a)), secret('y', certificate(b))])).toBe('')
  const plan = await settle()
  expect([[...plan.clusters.keys()], [...plan.secrets.keys()]]).toEqual([['c'], ['ads x']])
  expect([...set.caches.secret.resources.keys()]).toEqual(['x'])
})

test('a changed secret changes the plan, and nothing else in it', async () => {
  const { set, settle, plans } = newSet()
  set.acceptSotw('cluster', [clusterResource('c', ads('x'))])
  set.acceptSotw('secret', [secret('x', certificate(a))])
  const before = await settle()
  set.acceptSotw('secret', [secret('x', certificate(a), '2')])
  await settle()
  expect(plans.at(-1)).toBe(before)
  set.acceptDelta('secret', [secret('x', certificate(b), '3')], [])
  const after = await settle()
  expect(after.clusters.get('c')).toBe(before.clusters.get('c'))
  expect(after.secrets.get('ads x')).not.toBe(before.secrets.get('ads x'))
})

test('a secret that its server takes back stays while something refers to it', async () => {
  const { set, settle } = newSet()
  set.acceptDelta('cluster', [clusterResource('c', ads('x'))], [])
  set.acceptDelta('secret', [secret('x', certificate(a))], [])
  set.acceptDelta('secret', [], ['x'])
  expect((await settle()).secrets.size).toBe(1)
  set.acceptDelta('cluster', [], ['c'])
  expect((await settle()).secrets.size).toBe(0)
  expect(set.caches.secret.resources.size).toBe(0)
})

test('a secret under a name that is not its own, or too large, is refused', async () => {
  const { set } = newSet()
  set.acceptDelta('cluster', [clusterResource('c', ads('x'))], [])
  expect(set.acceptDelta('secret', [{ ...secret('y', certificate(a)), name: 'x' }], [])).toBe('x: name: is y')
  const large = { ...certificate(a), tlsCertificate: { ...certificate(a).tlsCertificate, password: {} } }
  large.tlsCertificate.password = { inlineString: 'p'.repeat(MAX_SECRET_BYTES) }
  expect(set.acceptDelta('secret', [secret('x', large)], [])).toMatch(/^x: has \d+ bytes, at most 1048576 are taken$/)
})

test('there is an end to how many secrets are kept', () => {
  const names = Array.from({ length: MAX_SECRETS + 1 }, (_, i) => `s${i}`)
  const { set } = newSet({ localNames: new Set(names) })
  const incoming = names.map((name) => secret(name, { validationContext: {} }))
  expect(set.acceptSecrets(LOCAL_SOURCE, incoming)).toBe(`s${MAX_SECRETS}: more than ${MAX_SECRETS} secrets`)
  // One that is there may change all the same.
  expect(set.acceptSecrets(LOCAL_SOURCE, [secret('s0', certificate(a))])).toBe('')
})

test('what waits for ever does so, and the others for as long as they say', async () => {
  const clock = new ManualClock()
  const { set, settle } = newSet({ clock })
  set.acceptDelta('cluster', [clusterResource('short', ads('x', '2s')), clusterResource('ever', ads('y', '0s'))], [])
  await settle()
  clock.advance(1_999)
  expect([...(await settle()).clusters.keys()]).toEqual([])
  clock.advance(1)
  const plan = await settle()
  expect([...plan.clusters.keys()]).toEqual(['short'])
  expect(plan.clusters.get('short')?.tls?.of(plan.secrets).context).toBeUndefined()
  clock.advance(1e9)
  expect([...(await settle()).clusters.keys()]).toEqual(['short'])
  expect(set.warming.clusters).toEqual(['ever'])
})

test('other threads come to the same secrets by what is relayed, early or late', async () => {
  const relayed: RelayedResources[] = []
  const localNames = new Set(['default'])
  const { set } = newSet({ localNames, relay: (resources) => relayed.push(resources) })
  const [early, late] = [newSet({ localNames }), newSet({ localNames })]
  set.acceptSecrets(LOCAL_SOURCE, [secret('default', certificate(a))])
  set.acceptSotw('cluster', [clusterResource('c', ads('x')), clusterResource('d', agent('default'))])
  set.acceptSotw('secret', [secret('x', certificate(b))])
  expect(relayed.map(({ type, source }) => [type, source])).toEqual([
    ['secret', LOCAL_SOURCE],
    ['cluster', ''],
    ['secret', ADS_SOURCE],
  ])
  for (const { resources } of relayed) {
    for (const { bytes } of resources) expect(bytes.buffer).toBeInstanceOf(SharedArrayBuffer)
  }
  for (const resources of relayed) early.set.take(resources)
  for (const resources of set.snapshot()) late.set.take(resources)
  for (const other of [early, late]) {
    const plan = await other.settle()
    expect([...plan.clusters.keys()].sort()).toEqual(['c', 'd'])
    expect([...plan.secrets].map(([key, { name }]) => [key, name]).sort()).toEqual([
      ['ads x', 'x'],
      ['grpc:sds-grpc default', 'default'],
    ])
  }
})

test('static resources begin without what waits for secrets', async () => {
  const waiting = clusterPlan(clusterJson('waiting', [agent('default')]))
  const { set, settle } = newSet({
    localNames: new Set(['default']),
    staticClusters: new Map([
      ['waiting', waiting],
      ['plain', clusterPlan({ name: 'plain' })],
    ]),
  })
  expect([...set.start().clusters.keys()]).toEqual(['plain'])
  expect(set.isSettled).toBe(false)
  await settle()
  expect([set.isSettled, set.warming.clusters]).toEqual([false, ['waiting']])
  set.acceptSecrets(LOCAL_SOURCE, [secret('default', certificate(a))])
  expect([...(await settle()).clusters.keys()]).toEqual(['waiting', 'plain'])
  expect(set.isSettled).toBe(true)
})
