import { expect, test } from '@jest/globals'
import type { CheckAnswer, Reports } from './dispatcher.ts'
import { bagOf, mixerOf, policy } from './testing.ts'

const denier = (name: string, code: number, more: object = {}, namespace?: string) =>
  policy(
    'handler',
    name,
    { compiledAdapter: 'denier', params: { status: { code, message: name }, ...more } },
    namespace,
  )
const nothing = policy('instance', 'nothing', { compiledTemplate: 'checknothing' })
const rule = (name: string, handler: string, more: object = {}, namespace?: string) =>
  policy('rule', name, { actions: [{ handler, instances: ['nothing.istio-system'] }], ...more }, namespace)

function check(objects: readonly object[], attributes: Record<string, string> = {}): CheckAnswer {
  const { mixer } = mixerOf(objects)
  expect(mixer.findings()).toEqual([])
  return mixer.dispatcher.check(bagOf(attributes)) as CheckAnswer
}

test('the first refusal counts; an answer holds as long as the shortest of its parts', () => {
  const objects = [
    nothing,
    denier('ok', 0, { validDuration: '3s', validUseCount: 50 }),
    denier('first', 7, { validDuration: '10s', validUseCount: 9 }),
    denier('second', 16, { validDuration: '4s', validUseCount: 7 }),
    rule('a', 'ok'),
    rule('b', 'first'),
    rule('c', 'second'),
  ]
  const { code, message, validDurationMs, validUseCount, problem } = check(objects)
  expect([code, message, validDurationMs, validUseCount, problem]).toEqual([7, 'first.istio-system:first', 3000, 7, ''])
})

test('a call that no rule speaks of may pass, and that may be kept', () => {
  const { code, validDurationMs, validUseCount } = check([])
  expect([code, validDurationMs, validUseCount]).toEqual([0, 60_000, 10_000])
})

test('rules of the root namespace hold everywhere and go first, others for the called of their namespace', () => {
  const objects = [
    nothing,
    denier('there', 5, {}, 'a'),
    rule('there', 'there', {}, 'a'),
    denier('everywhere', 7),
    rule('everywhere', 'everywhere', { match: 'request.method == "PUT"' }),
  ]
  const codeOf = (attributes: Record<string, string>) => check(objects, attributes).code
  expect(codeOf({ 'destination.namespace': 'a' })).toBe(5)
  expect(codeOf({ 'destination.namespace': 'b' })).toBe(0)
  expect(codeOf({ 'destination.service.namespace': 'a' })).toBe(5)
  expect(codeOf({ 'destination.namespace': 'b', 'request.method': 'PUT' })).toBe(7)
  expect(codeOf({ 'destination.namespace': 'a', 'request.method': 'PUT' })).toBe(7)
  // Of what goes out the caller's namespace counts.
  const out = { 'context.reporter.kind': 'outbound', 'destination.namespace': 'b' }
  expect(codeOf({ ...out, 'source.namespace': 'a' })).toBe(5)
  expect(codeOf({ ...out, 'destination.namespace': 'a', 'source.namespace': 'b' })).toBe(0)
})

test('a rule whose match has no value does not hold, and that is counted and depended on', () => {
  const { mixer } = mixerOf([nothing, denier('no', 7), rule('a', 'no', { match: 'request.headers["x"] == "y"' })])
  const answer = mixer.dispatcher.check(bagOf({ 'request.headers[z]': '1' })) as CheckAnswer
  expect(answer.code).toBe(0)
  expect(answer.references.texts()).toEqual({ present: [], absent: ['request.headers[x]'] })
  expect(mixer.stats.matchErrors.value).toBe(1)
})

const list = policy('handler', 'list', { compiledAdapter: 'list', params: { overrides: ['good'] } })
const user = policy('instance', 'user', { compiledTemplate: 'listentry', params: { value: 'request.headers["user"]' } })
const listed = (more: object = {}) =>
  policy('rule', 'listed', { actions: [{ handler: 'list', instances: ['user'], name: 'who' }], ...more })

test('where an instance has no value nobody knows, unless somebody refuses', () => {
  const unknown = check([list, user, listed()])
  expect([unknown.code, unknown.problem]).toEqual([0, 'user.instance.istio-system: request.headers is absent'])
  const refused = check([list, user, listed(), nothing, denier('no', 7), rule('b', 'no')])
  expect(refused.code).toBe(7)
})

test('header operations, with what a handler gave', () => {
  const operations = {
    requestHeaderOperations: [
      { name: 'X-User', values: ['who.output.value', '"also"'] },
      { name: 'x-more', values: ['request.headers["absent"]'], operation: 'APPEND' },
      { name: 'x-gone', operation: 'REMOVE' },
    ],
    responseHeaderOperations: [{ name: 'x-mixer', values: ['"yes"'], operation: 'APPEND' }],
  }
  const { requestChanges, responseChanges, references } = check([list, user, listed(operations)], {
    'request.headers[user]': 'good',
  })
  expect(requestChanges).toEqual([
    { operation: 'REPLACE', name: 'x-user', value: 'good' },
    { operation: 'APPEND', name: 'x-user', value: 'also' },
    { operation: 'REMOVE', name: 'x-gone', value: '' },
  ])
  expect(responseChanges).toEqual([{ operation: 'APPEND', name: 'x-mixer', value: 'yes' }])
  expect(references.texts()).toEqual({ present: ['request.headers[user]'], absent: ['request.headers[absent]'] })
})

test('pods say what proxies do not, and the answer depends on what they were found by', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web-5d-x',
      namespace: 'a',
      labels: { app: 'web', 'pod-template-hash': '5d' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5d' }],
    },
    spec: { containers: [{ name: 'main', ports: [{ containerPort: 80 }] }, { name: 'other' }] },
    status: { podIP: '10.0.0.1' },
  }
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'a' },
    spec: { selector: { app: 'web' } },
  }
  const match = [
    'source.labels["app"] == "web"',
    'source.workload.name == "web"',
    'source.owner == "kubernetes://apis/apps/v1/namespaces/a/deployments/web"',
    'destination.service.host == "web.a.svc.cluster.local"',
    'destination.container.name == "main"',
  ].join(' && ')
  const { code, references } = check([pod, service, nothing, denier('no', 7), rule('a', 'no', { match })], {
    'source.ip': '10.0.0.1',
    'destination.uid': 'kubernetes://web-5d-x.a',
    'destination.port': '80',
  })
  expect(code).toBe(7)
  expect(references.texts()).toEqual({
    present: ['destination.port', 'destination.uid', 'source.ip'],
    absent: [
      'destination.container.name',
      'destination.ip',
      'destination.service.host',
      'source.labels',
      'source.owner',
      'source.uid',
      'source.workload.name',
    ],
  })
})

const counter = policy('handler', 'prometheus', {
  compiledAdapter: 'prometheus',
  params: { metrics: [{ instanceName: 'n.instance.istio-system', name: 'n', kind: 'COUNTER' }] },
})
const one = policy('instance', 'n', { compiledTemplate: 'metric', params: { value: 1 } })

function sampled(
  sampling: object,
  reports: number,
  attributes: (i: number) => Record<string, string> = () => ({}),
): number {
  const { mixer } = mixerOf([
    counter,
    one,
    policy('rule', 'r', { actions: [{ handler: 'prometheus', instances: ['n'] }], sampling }),
  ])
  expect(mixer.findings()).toEqual([])
  const gathered: Reports = new Map()
  for (let i = 0; i < reports; i++) mixer.dispatcher.report(bagOf(attributes(i)), gathered)
  return [...gathered.values()].flat().length
}

test('sampling: at random, by an attribute, and by rate', () => {
  const half = { percentSampled: { numerator: 50 } }
  const share = sampled({ random: half }, 2000)
  expect(share).toBeGreaterThan(900)
  expect(share).toBeLessThan(1100)
  // All of one request, or none.
  const byId = { random: { ...half, attributeExpression: 'request.id' } }
  const same = sampled(byId, 100, () => ({ 'request.id': 'x' }))
  expect([0, 100]).toContain(same)
  expect(sampled(byId, 100, () => ({ 'request.id': 'x' }))).toBe(same)
  expect(sampled({ random: { percentSampled: { numerator: 0 } } }, 100)).toBe(0)
  expect(sampled({ random: { percentSampled: { numerator: 10_000, denominator: 'TEN_THOUSAND' } } }, 100)).toBe(100)
  expect(sampled({ rateLimit: { samplingDuration: '1s', maxUnsampledEntries: 10, samplingRate: 9 } }, 100)).toBe(20)
})

test('handlers that do not change stay; those that are meant no more are closed later', () => {
  const { mixer, clock, source } = mixerOf([nothing, denier('no', 7), rule('a', 'no')])
  const before = mixer.handlers
  source.set('more.yaml', JSON.stringify(denier('other', 5)))
  expect(before.every((handler) => mixer.handlers.includes(handler))).toBe(true)
  expect(mixer.handlers).toHaveLength(before.length + 1)
  expect(mixer.generation).toBe(2)
  source.set('more.yaml', '')
  expect(mixer.handlers).toHaveLength(before.length)
  // The one that is closed later.
  expect(clock.pendingTimers).toBe(1)
  clock.advance(10_000)
  expect(clock.pendingTimers).toBe(0)
})
