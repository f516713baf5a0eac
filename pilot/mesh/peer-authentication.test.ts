import { expect, test } from '@jest/globals'
import type { ConfigObject } from '../../config/object.ts'
import type { PeerAuthenticationBody, PeerAuthenticationSpec } from '../../crds/kinds/peer-authentication.ts'
import { type MtlsMode, mtlsModes } from './peer-authentication.ts'

function policy(namespace: string, spec: PeerAuthenticationSpec): ConfigObject<PeerAuthenticationBody> {
  return { metadata: { namespace, name: 'p', labels: {}, annotations: {} }, body: { spec } } as never
}

const ROOT = 'istio-system'
const reviews = (...policies: ConfigObject<PeerAuthenticationBody>[]) =>
  mtlsModes(policies, 'default', { app: 'reviews' }, ROOT, 'PERMISSIVE')
const mtls = (mode: MtlsMode | 'UNSET') => ({ mtls: { mode } })
const selector = { matchLabels: { app: 'reviews' } }

test('without a policy the mesh’s default holds', () => {
  expect(reviews()).toEqual({ workload: 'PERMISSIVE', ports: {} })
})

test('the narrower policy wins, whatever their order', () => {
  const mesh = policy(ROOT, mtls('STRICT'))
  const namespace = policy('default', mtls('DISABLE'))
  const workload = policy('default', { selector, ...mtls('PERMISSIVE') })
  expect(reviews(mesh).workload).toBe('STRICT')
  expect(reviews(namespace, mesh).workload).toBe('DISABLE')
  expect(reviews(workload, namespace, mesh).workload).toBe('PERMISSIVE')
})

test('what is unset, or says nothing, takes from the wider one', () => {
  const mesh = policy(ROOT, mtls('STRICT'))
  expect(reviews(policy('default', mtls('UNSET')), mesh).workload).toBe('STRICT')
  expect(reviews(policy('default', { selector }), policy('default', {}), mesh).workload).toBe('STRICT')
})

test('ports go by their own mode, or by the workload’s', () => {
  const portLevelMtls = { '8080': { mode: 'DISABLE' as const }, '9090': { mode: 'UNSET' as const } }
  expect(reviews(policy('default', { selector, ...mtls('STRICT'), portLevelMtls }))).toEqual({
    workload: 'STRICT',
    ports: { '8080': 'DISABLE', '9090': 'STRICT' },
  })
})

test('other namespaces, other workloads, and selectors of the root namespace mean nothing here', () => {
  expect(
    reviews(
      policy('other', mtls('STRICT')),
      policy('default', { selector: { matchLabels: { app: 'ratings' } }, ...mtls('STRICT') }),
      policy(ROOT, { selector, ...mtls('STRICT') }),
    ).workload,
  ).toBe('PERMISSIVE')
})

test('of two at one place the older wins', () => {
  expect(reviews(policy('default', mtls('STRICT')), policy('default', mtls('DISABLE'))).workload).toBe('STRICT')
})
