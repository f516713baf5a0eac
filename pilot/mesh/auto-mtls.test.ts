import { expect, test } from '@jest/globals'
import { Memo } from '../memo.ts'
import type { Endpoint } from '../registry/endpoint.ts'
import { generationOf } from '../testing/mesh.ts'
import { autoMtls } from './auto-mtls.ts'
import { DEFAULT_MESH_OPTIONS } from './options.ts'

const memo = new Memo()

type Policy = readonly [namespace: string, spec: string]

function mesh(...policies: readonly Policy[]) {
  const text = policies.map(
    ([namespace, spec], i) => `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: p${i}, namespace: ${namespace} }
spec: ${spec}
`,
  )
  return generationOf(text.join('---\n'), { enableAutoMtls: true })
}

function endpoint(labels: Record<string, string>, namespace = 'default', port = 9080): Endpoint {
  const rest = { workloadName: 'w', serviceAccount: 'w', locality: '', weight: 1, ready: true }
  return { address: '10.0.0.1', port, labels, namespace, ...rest }
}

const SECURED = { app: 'a', 'security.istio.io/tlsMode': 'istio' }

test('endpoints whose labels say that they have a proxy are called by mutual TLS', () => {
  const { takes } = autoMtls(mesh(), memo)
  expect(takes(endpoint(SECURED))).toBe(true)
  expect(takes(endpoint({ app: 'a' }))).toBe(false)
  expect(takes(endpoint({ 'security.istio.io/tlsMode': 'disabled' }))).toBe(false)
})

test.each<[string, Policy, Endpoint, boolean]>([
  ['the mesh', ['istio-system', '{ mtls: { mode: DISABLE } }'], endpoint(SECURED), false],
  ['its namespace', ['default', '{ mtls: { mode: DISABLE } }'], endpoint(SECURED), false],
  ['another namespace', ['other', '{ mtls: { mode: DISABLE } }'], endpoint(SECURED), true],
  [
    'the workload',
    ['default', '{ selector: { matchLabels: { app: a } }, mtls: { mode: DISABLE } }'],
    endpoint(SECURED),
    false,
  ],
  [
    'its port',
    ['default', '{ selector: { matchLabels: { app: a } }, portLevelMtls: { "9080": { mode: DISABLE } } }'],
    endpoint(SECURED),
    false,
  ],
  [
    'another port',
    ['default', '{ selector: { matchLabels: { app: a } }, portLevelMtls: { "9090": { mode: DISABLE } } }'],
    endpoint(SECURED),
    true,
  ],
])('but not where it is switched off for %s', (_what, policy, called, takes) => {
  expect(autoMtls(mesh(policy), memo).takes(called)).toBe(takes)
})

test('what servers ask for else is no matter', () => {
  const before = autoMtls(mesh(['default', '{ mtls: { mode: STRICT } }']), memo)
  expect(before.takes(endpoint(SECURED))).toBe(true)
})

test('without identities nobody is called so', () => {
  const { takes } = autoMtls({ ...mesh(), options: DEFAULT_MESH_OPTIONS }, memo)
  expect(takes(endpoint(SECURED))).toBe(false)
})
