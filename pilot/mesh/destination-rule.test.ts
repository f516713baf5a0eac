import { expect, test } from '@jest/globals'
import { generationOf, istio } from '../testing/mesh.ts'
import { effectivePolicy } from './traffic-policy.ts'

const service = { host: 'a.shop.svc.cluster.local', namespace: 'shop' }

function rule(name: string, namespace: string, spec: object): string {
  return istio('DestinationRule', name, spec, namespace)
}

function found(yaml: string, client: string, labels = {}): string | undefined {
  return generationOf(yaml).destinationRules.find({ namespace: client, labels }, service)?.name
}

const everywhere =
  rule('client', 'client', { host: 'a.shop.svc.cluster.local' }) +
  rule('owner', 'shop', { host: 'a' }) +
  rule('root', 'istio-system', { host: '*.svc.cluster.local' })

test("the client's namespace goes first, then the service's, then the root namespace", () => {
  expect(found(everywhere, 'client')).toBe('client')
  expect(found(everywhere, 'other')).toBe('owner')
  expect(found(rule('root', 'istio-system', { host: '*.local' }), 'other')).toBe('root')
})

test('rules of the root namespace are defaults even for clients that live there, unless they are private', () => {
  expect(found(everywhere, 'istio-system')).toBe('owner')
  expect(
    found(everywhere + rule('private', 'istio-system', { host: '*.local', exportTo: ['.'] }), 'istio-system'),
  ).toBe('private')
})

test('in a namespace the most specific host wins, and what is not exported is not seen', () => {
  const yaml =
    rule('all', 'shop', { host: '*' }) +
    rule('suffix', 'shop', { host: '*.shop.svc.cluster.local' }) +
    rule('hidden', 'shop', { host: 'a', exportTo: ['.'] })
  expect(found(yaml, 'other')).toBe('suffix')
  expect(found(yaml, 'shop')).toBe('hidden')
})

test('a rule with a selector is for the selected clients of its own namespace', () => {
  const yaml =
    rule('general', 'client', { host: service.host }) +
    rule('selected', 'client', { host: service.host, workloadSelector: { matchLabels: { app: 'x' } } })
  expect(found(yaml, 'client', { app: 'x' })).toBe('selected')
  expect(found(yaml, 'client', { app: 'y' })).toBe('general')
  expect(found(yaml, 'shop', { app: 'x' })).toBeUndefined()
})

test('rules of one host are merged: all subsets, the first policy', () => {
  const random = { loadBalancer: { simple: 'RANDOM' } }
  const yaml =
    rule('one', 'shop', { host: 'a', subsets: [{ name: 'v1', labels: { v: '1' } }] }) +
    rule('two', 'shop', { host: 'a', trafficPolicy: random, subsets: [{ name: 'v1' }, { name: 'v2' }] })
  const merged = generationOf(yaml).destinationRules.all
  expect(merged).toHaveLength(1)
  expect(merged[0]?.subsets.map(({ subset }) => [subset.name, subset.labels])).toEqual([
    ['v1', { v: '1' }],
    ['v2', undefined],
  ])
  expect(merged[0]?.trafficPolicy).toEqual(random)
})

test('the settings of a port replace all blocks, those of a subset block by block', () => {
  const yaml = rule('r', 'shop', {
    host: 'a',
    trafficPolicy: {
      loadBalancer: { simple: 'RANDOM' },
      outlierDetection: { consecutive5xxErrors: 1 },
      portLevelSettings: [{ port: { number: 81 }, connectionPool: { tcp: { maxConnections: 1 } } }],
    },
    subsets: [{ name: 'v1', trafficPolicy: { outlierDetection: { interval: '1s' } } }],
  })
  const [only] = generationOf(yaml).destinationRules.all
  expect(effectivePolicy(only, '', 80)).toEqual({
    loadBalancer: { simple: 'RANDOM' },
    outlierDetection: { consecutive5xxErrors: 1 },
  })
  expect(effectivePolicy(only, '', 81)).toEqual({ connectionPool: { tcp: { maxConnections: 1 } } })
  expect(effectivePolicy(only, 'v1', 80)).toEqual({
    loadBalancer: { simple: 'RANDOM' },
    outlierDetection: { interval: '1s' },
  })
})
