import { describe, expect, test } from '@jest/globals'
import { problemsOf } from '../testing.ts'

/** Problems of a rule with this load balancer, which is on line 5. */
const of = (loadBalancer: string, annotations = '{}') =>
  problemsOf(
    `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a, annotations: ${annotations}}\nspec:\n  {host: a, trafficPolicy: {loadBalancer: ${loadBalancer}}}\n`,
  )
const AT = 'spec.trafficPolicy.loadBalancer'

test.each([
  '{consistentHash: {httpHeaderName: x-user}}',
  '{consistentHash: {httpCookie: {name: user, ttl: 0s, attributes: [{name: Secure}]}, maglev: {}}}',
  '{consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 10}}}',
  '{consistentHash: {httpQueryParameterName: q, maglev: {tableSize: 251}}}',
  '{simple: ROUND_ROBIN, warmup: {duration: 10s, minimumPercent: 1, aggression: 2}}',
  '{warmup: {duration: 10s}}',
])('%s is taken', (settings) => {
  expect(of(settings)).toEqual([])
})

test.each([
  ['{consistentHash: {}}', 'IST0133', `${AT}.consistentHash: says of nothing to hash it`],
  ['{consistentHash: {useSourceIp: true, httpHeaderName: a}}', 'IST0106', `${AT}.consistentHash.useSourceIp: cannot`],
  ['{consistentHash: {httpHeaderName: "a b"}}', 'IST0106', `${AT}.consistentHash.httpHeaderName: "a b" is not`],
  ['{consistentHash: {httpQueryParameterName: ""}}', 'IST0106', `${AT}.consistentHash.httpQueryParameterName: must`],
  ['{consistentHash: {httpCookie: {name: "a;b"}}}', 'IST0106', `${AT}.consistentHash.httpCookie.name: "a;b" is not`],
  [
    '{consistentHash: {httpCookie: {name: a, path: "/;x"}}}',
    'IST0106',
    `${AT}.consistentHash.httpCookie.path: must not hold a semicolon`,
  ],
  [
    '{consistentHash: {httpCookie: {name: a, attributes: [{name: b, value: "c;d"}]}}}',
    'IST0106',
    `${AT}.consistentHash.httpCookie.attributes[0].value: must not hold a semicolon`,
  ],
  ['{consistentHash: {useSourceIp: true, ringHash: {}, maglev: {}}}', 'IST0106', `${AT}.consistentHash.maglev: cannot`],
  ['{consistentHash: {useSourceIp: true, maglev: {tableSize: 250}}}', 'IST0106', '250 is no prime'],
  ['{consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 8388609}}}', 'IST0106', 'at most 8388608'],
  ['{simple: RANDOM, warmup: {duration: 10s}}', 'IST0133', `${AT}.warmup: is for ROUND_ROBIN and LEAST_REQUEST only`],
  [
    '{simple: RANDOM, consistentHash: {useSourceIp: true}}',
    'IST0106',
    `${AT}.consistentHash: cannot stand beside simple`,
  ],
])('%s', (settings, code, message) => {
  expect(of(settings)).toEqual([[code, 5, expect.stringContaining(message)]])
})

describe('annotations', () => {
  const found = (annotations: string) => of('{simple: LEAST_REQUEST}', annotations)

  test('are taken', () => {
    expect(found('{lateen.mesh/load-balancer: PEAK_EWMA}')).toEqual([])
    expect(found('{lateen.mesh/load-balancer: PEAK_EWMA, lateen.mesh/load-balancer-decay: 1m}')).toEqual([])
  })

  test.each([
    ['{lateen.mesh/load-balancer: EWMA}', 'IST0106', 'must be PEAK_EWMA, found "EWMA"'],
    ['{lateen.mesh/load-balancer: PEAK_EWMA, lateen.mesh/load-balancer-decay: soon}', 'IST0106', 'must be a duration'],
    ['{lateen.mesh/load-balancer-decay: 1s}', 'IST0133', 'needs lateen.mesh/load-balancer'],
  ])('%s', (annotations, code, message) => {
    expect(found(annotations)).toEqual([[code, 3, expect.stringContaining(message)]])
  })
})
