import { expect, test } from '@jest/globals'
import type { LocalityLoadBalancerSetting } from '../../../crds/kinds/destination-rule.ts'
import { Report } from '../../report.ts'
import { checkLocalitySetting } from './locality-setting.ts'

function problems(setting: LocalityLoadBalancerSetting, hasOutlierDetection = true): string[] {
  const report = new Report()
  checkLocalitySetting(setting, [], hasOutlierDetection, report)
  return report.problems.map(({ severity, message }) => `${severity} ${message}`)
}

const distribute = (from: string, to: Record<string, number>) => problems({ distribute: [{ from, to }] })

test('what is right', () => {
  expect(distribute('us-west/*', { 'us-west/z1/*': 80, 'us-west/z2/*': 20 })).toEqual([])
  expect(distribute('*', { '*': 100 })).toEqual([])
  expect(problems({ failover: [{ from: 'us', to: 'eu' }], failoverPriority: ['a', 'b=c'] })).toEqual([])
  expect(problems({ enabled: false, failoverPriority: ['a'] }, false)).toEqual([])
})

test('shares that do not make a whole, or are none', () => {
  expect(distribute('a', { a: 50, b: 49 })).toEqual(['error distribute[0].to: the shares are 99 together, not 100'])
  expect(distribute('a', { a: 100, b: 0 })).toEqual(['error distribute[0].to.b: 0 is not 1 to 100'])
})

test('places that are none, or have two shares', () => {
  const pattern = 'is no region/zone/subzone, with * at most at its end'
  for (const bad of ['', 'a/*/b', 'a/b*', 'a//b', 'a/b/c/d']) {
    expect(distribute(bad, { a: 100 })).toEqual([`error distribute[0].from: "${bad}" ${pattern}`])
  }
  expect(distribute('a', { 'b/*': 50, 'b/c': 50 })).toEqual([
    'error distribute[0].to["b/c"]: is part of "b/*": a locality must have one share',
  ])
})

test('distribute stands alone', () => {
  const all = {
    distribute: [{ from: 'a', to: { a: 100 } }],
    failover: [{ from: 'a', to: 'b' }],
    failoverPriority: ['x'],
  }
  expect(problems(all)).toEqual([
    'error failover: cannot stand beside distribute',
    'error failoverPriority: cannot stand beside distribute',
  ])
})

test('regions to turn to', () => {
  expect(problems({ failover: [{ from: 'a/b', to: '' }] })).toEqual([
    'error failover[0].from: "a/b" is no region',
    'error failover[0].to: "" is no region',
  ])
  expect(problems({ failover: [{ from: 'a', to: 'a' }] })).toEqual(['error failover[0].to: must be another region'])
})

test('labels are given once', () => {
  expect(problems({ failoverPriority: ['a', 'a=b', '=c'] })).toEqual([
    'error failoverPriority[1]: "a" is given twice',
    'error failoverPriority[2]: the key of a label is needed',
  ])
})

test('without outlier detection nobody turns anywhere', () => {
  expect(problems({ failoverPriority: ['a'] }, false)).toEqual([
    'warning failoverPriority: has no effect without outlierDetection: nobody would notice that hosts fail',
  ])
})
