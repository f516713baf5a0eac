import { afterAll, expect, test } from '@jest/globals'
import type { SecretBody } from '../../crds/kinds/secret.ts'
import { TestCa } from '../../test/support/certificates.ts'
import { certificateProblem, readCredential, rootsProblem } from './credential.ts'

const ca = new TestCa('a root')
afterAll(() => ca.remove())
const issued = ca.issue('a.example')
const other = ca.issue('b.example')

const base64 = (text: string) => Buffer.from(text).toString('base64')
const data = (values: Record<string, string>): SecretBody => ({
  data: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, base64(value)])),
})

const whole = { chain: 'CHAIN', key: 'KEY' }

test.each<[string, SecretBody, unknown]>([
  ["Kubernetes' keys", data({ 'tls.crt': 'CHAIN', 'tls.key': 'KEY', 'ca.crt': 'ROOTS', 'ca.crl': 'CRL' }), whole],
  ["Istio's generic keys", data({ cert: 'CHAIN', key: 'KEY', cacert: 'ROOTS', crl: 'CRL' }), whole],
  [
    'both, where the generic ones win',
    data({ cert: 'CHAIN', key: 'KEY', 'tls.crt': 'x', 'tls.key': 'y', cacert: 'ROOTS', crl: 'CRL' }),
    whole,
  ],
  [
    'text beside base64',
    {
      data: { 'tls.crt': base64('x'), 'ca.crl': base64('CRL') },
      stringData: { 'tls.crt': 'CHAIN', 'tls.key': 'KEY', 'ca.crt': 'ROOTS' },
    },
    whole,
  ],
  ['no key', data({ 'tls.crt': 'CHAIN', 'ca.crt': 'ROOTS', 'ca.crl': 'CRL' }), undefined],
  ['an empty key', data({ 'tls.crt': 'CHAIN', 'tls.key': '\n', 'ca.crt': 'ROOTS', 'ca.crl': 'CRL' }), undefined],
])('a Secret with %s', (_what, body, certificate) => {
  expect(readCredential(body)).toEqual({ certificate, roots: 'ROOTS', crl: 'CRL' })
})

test('what makes a certificate or roots unusable is said, and nothing of what they are', () => {
  const problem = (chain: string, key: string) =>
    certificateProblem({ certificate: { chain, key }, roots: undefined, crl: undefined })
  expect(problem(issued.cert, issued.key)).toBe('')
  expect(problem(`${issued.cert}${ca.cert}`, issued.key)).toBe('')
  expect(problem(issued.cert, other.key)).toBe('its key belongs to another certificate')
  expect(problem('no certificate', issued.key)).toContain('cannot be read')
  expect(problem(issued.cert, 'SECRET-TEXT')).toContain('cannot be read')
  expect(problem(issued.cert, 'SECRET-TEXT')).not.toContain('SECRET-TEXT')
  const roots = (text: string | undefined) => rootsProblem({ certificate: undefined, roots: text, crl: undefined })
  expect(roots(ca.cert)).toBe('')
  expect(roots(undefined)).toContain('has no ca.crt')
  expect(roots('SECRET-TEXT')).toBe('its ca.crt holds no certificate in PEM')
  expect(roots('-----BEGIN CERTIFICATE-----\nSECRET\n-----END CERTIFICATE-----\n')).toContain('cannot be read')
})
