import { expect, test } from '@jest/globals'
import type { LocalityLoadBalancerSetting } from '../../../crds/kinds/destination-rule.ts'
import type { Endpoint } from '../../registry/endpoint.ts'
import type { Labels } from '../../registry/labels.ts'
import { byLocality, forCaller } from './locality-groups.ts'

function endpoint(locality: string, labels: Labels = {}, weight = 1): Endpoint {
  return {
    address: `${locality} ${Object.values(labels).join(' ')}`.trim(),
    port: 80,
    ready: true,
    labels,
    namespace: 'default',
    workloadName: '',
    serviceAccount: '',
    locality,
    weight,
  }
}

/** Locality, priority and weight of each group, as one caller gets them. */
function sorted(
  endpoints: readonly Endpoint[],
  setting: LocalityLoadBalancerSetting,
  locality: string,
  labels: Labels = {},
): string[] {
  const groups = forCaller(byLocality(endpoints), setting, { locality, labels }, 'cluster-1')
  return groups.map((group) => `${group.locality || '-'} p${group.priority} w${group.weight}`)
}

const PLACES = ['r1/z1/s1', 'r1/z1/s2', 'r1/z2/s1', 'r2/z1/s1', 'r3/z1/s1'].map((place) => endpoint(place))

test('by default the nearer come first', () => {
  expect(sorted(PLACES, {}, 'r1/z1/s1')).toEqual([
    'r1/z1/s1 p0 w1',
    'r1/z1/s2 p1 w1',
    'r1/z2/s1 p2 w1',
    'r2/z1/s1 p3 w1',
    'r3/z1/s1 p3 w1',
  ])
})

test('priorities count without gaps', () => {
  expect(sorted(PLACES.slice(2), {}, 'r1/z1/s1')).toEqual(['r1/z2/s1 p0 w1', 'r2/z1/s1 p1 w1', 'r3/z1/s1 p1 w1'])
  expect(sorted(PLACES.slice(3), {}, 'r1/z1/s1')).toEqual(['r2/z1/s1 p0 w1', 'r3/z1/s1 p0 w1'])
})

test('a region to turn to goes before others', () => {
  const failover = [{ from: 'r1', to: 'r3' }]
  expect(sorted(PLACES, { failover }, 'r1/z1/s1').slice(3)).toEqual(['r2/z1/s1 p4 w1', 'r3/z1/s1 p3 w1'])
  // It says nothing to callers of other regions.
  expect(sorted(PLACES, { failover }, 'r2/z9/s1')).toEqual([
    'r1/z1/s1 p1 w1',
    'r1/z1/s2 p1 w1',
    'r1/z2/s1 p1 w1',
    'r2/z1/s1 p0 w1',
    'r3/z1/s1 p1 w1',
  ])
})

test('a caller who does not know where it is prefers those of whom nobody knows', () => {
  expect(sorted([endpoint('r1/z1'), endpoint('')], {}, '')).toEqual(['- p0 w1', 'r1/z1 p1 w1'])
})

test('by labels: as many of the first as are alike', () => {
  const endpoints = [
    endpoint('r1', { a: '1', b: '1' }),
    endpoint('r1', { a: '1', b: '2' }),
    endpoint('r1', { a: '2', b: '1' }),
    endpoint('r2', { a: '1', b: '1' }, 5),
  ]
  expect(sorted(endpoints, { failoverPriority: ['a', 'b'] }, 'r1', { a: '1', b: '1' })).toEqual([
    'r1 p0 w1',
    'r1 p1 w1',
    'r1 p2 w1',
    'r2 p0 w5',
  ])
  // A value that is given counts in the place of the caller's own; what neither has is alike.
  expect(sorted(endpoints, { failoverPriority: ['b=2', 'nobody'] }, 'r1', { a: '1', b: '1' })).toEqual([
    'r1 p0 w1',
    'r1 p1 w2',
    'r2 p1 w5',
  ])
})

test('labels of places are known from the localities', () => {
  const failoverPriority = ['topology.istio.io/cluster', 'topology.kubernetes.io/region', 'topology.kubernetes.io/zone']
  expect(sorted(PLACES, { failoverPriority }, 'r1/z1/s9')).toEqual([
    'r1/z1/s1 p0 w1',
    'r1/z1/s2 p0 w1',
    'r1/z2/s1 p1 w1',
    'r2/z1/s1 p2 w1',
    'r3/z1/s1 p2 w1',
  ])
})

test('with labels and a region, distance decides among those that are alike', () => {
  const setting = { failoverPriority: ['app'], failover: [{ from: 'r1', to: 'r3' }] }
  expect(sorted(PLACES, setting, 'r1/z1/s1')).toEqual([
    'r1/z1/s1 p0 w1',
    'r1/z1/s2 p1 w1',
    'r1/z2/s1 p2 w1',
    'r2/z1/s1 p4 w1',
    'r3/z1/s1 p3 w1',
  ])
})

test('shares: a pattern for several is divided by what they weigh, and who is not named gets nothing', () => {
  const endpoints = [endpoint('r1/z1'), endpoint('r1/z2', {}, 3), endpoint('r2/z1'), endpoint('r3/z1')]
  const distribute: LocalityLoadBalancerSetting['distribute'] = [
    { from: 'r2/*', to: { 'r2/*': 100 } },
    { from: 'r1/z1/*', to: { 'r1/*': 60, 'r2/z1': 40 } },
    { from: 'r1/*', to: { '*': 100 } },
  ]
  expect(sorted(endpoints, { distribute }, 'r1/z1/s1')).toEqual(['r1/z1 p0 w15', 'r1/z2 p0 w45', 'r2/z1 p0 w40'])
  expect(sorted(endpoints, { distribute }, 'r2')).toEqual(['r2/z1 p0 w100'])
  // No entry is for this caller.
  expect(sorted(endpoints, { distribute }, 'r9')).toEqual(['r1/z1 p0 w1', 'r1/z2 p0 w3', 'r2/z1 p0 w1', 'r3/z1 p0 w1'])
})
