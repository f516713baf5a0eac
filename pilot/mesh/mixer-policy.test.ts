import { expect, test } from '@jest/globals'
import { generationOf } from '../testing/mesh.ts'
import { isQuotaBound } from './mixer-policy.ts'
import type { MeshOptions } from './options.ts'

const mixerCheckServer = 'policy.mesh.svc.cluster.local:9091'
const RULE = `apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: { name: r, namespace: mesh }
spec:
  match: MATCH
`
const BINDING = `---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpecBinding
metadata: { name: b, namespace: shop }
spec:
  quotaSpecs: [{ name: s }]
  services: [{ name: cart }, { service: pay.bank.svc.cluster.local, labels: { tier: gold } }]
`

const asking = (text: string, mesh: Partial<MeshOptions> = { mixerCheckServer }) => generationOf(text, mesh)

test('nobody is asked without a mixer, or where that is switched off', () => {
  expect(asking(RULE, {}).mixer).toBeUndefined()
  expect(asking(RULE, { mixerCheckServer, disablePolicyChecks: true }).mixer).toBeUndefined()
  expect(asking(RULE).mixer).toMatchObject({
    host: 'policy.mesh.svc.cluster.local',
    port: 9091,
    failOpen: false,
  })
})

test('a mixer that is no service is a finding', () => {
  expect(asking(RULE).dangling).toMatchObject([
    { code: 'IST0101', message: expect.stringContaining('every call to a sidecar is answered 503') },
  ])
  const service = `---
apiVersion: v1
kind: Service
metadata: { name: policy, namespace: mesh }
spec: { selector: { app: policy }, ports: [{ name: grpc, port: 9091 }] }
`
  expect(asking(RULE + service).dangling).toEqual([])
})

test.each([
  ['destination.labels["app"] == "a" && source.labels["v"] == "b"', ['app', 'tier']],
  ['match(destination.labels["a-b"], "x*")', ['a-b', 'tier']],
  ['destination.labels == source.labels', undefined],
  ['true', ['tier']],
])('of %s the labels are told', (match, labels) => {
  expect(asking(RULE.replace('MATCH', JSON.stringify(match)) + BINDING).mixer?.labels).toEqual(labels)
})

test('a quota is bound by the name in its own namespace, by a full one, and by labels', () => {
  const { mixer } = asking(RULE + BINDING)
  if (mixer === undefined) throw new Error('no mixer')
  const bound = (host: string, labels = {}) => isQuotaBound(mixer, `${host}.svc.cluster.local`, labels)
  expect([bound('cart.shop'), bound('cart.other'), bound('pay.bank'), bound('pay.bank', { tier: 'gold' })]).toEqual([
    true,
    false,
    false,
    true,
  ])
})
