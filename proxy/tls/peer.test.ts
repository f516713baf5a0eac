import { createHash, X509Certificate } from 'node:crypto'
import { afterAll, expect, test } from '@jest/globals'
import { TestCa } from '../../test/support/certificates.ts'
import { exactMatcher } from '../plan/matchers.ts'
import type { PeerCheckPlan } from '../plan/tls-plan.ts'
import { factsOf, factsOfDer } from './certificate-facts.ts'
import { dnsNameMatches, refusePeer } from './peer.ts'

const ca = new TestCa('peers')
afterAll(() => ca.remove())
const SPIFFE = 'spiffe://cluster.local/ns/default/sa/reviews'
const issued = ca.issue('reviews', { altNames: [`URI:${SPIFFE}`, 'DNS:reviews.example', 'IP:10.0.0.1'] })
const x509 = new X509Certificate(issued.cert)
const certificate = factsOf(x509)
const hash = createHash('sha256').update(x509.raw).digest('hex')
const key = x509.publicKey.export({ type: 'spki', format: 'der' })
const keyHash = createHash('sha256').update(key).digest('base64')

const check = (fields: Partial<PeerCheckPlan>): PeerCheckPlan => ({
  verifiesChain: true,
  names: [],
  certificateHashes: [],
  keyHashes: [],
  ...fields,
})
const named = (type: 'uri' | 'dns', value: string) => ({ names: [{ type, matcher: exactMatcher(value, false) }] })

test('an identity is what the certificate says', () => {
  const identity = certificate
  expect(identity).toMatchObject({ uri: SPIFFE, subject: 'CN=reviews', certificateHash: hash })
  expect(identity.altNames.map(({ type }) => type)).toEqual(['uri', 'dns', 'ip'])
  expect(identity.validToMs).toBe(Date.parse(x509.validTo))
  expect(identity.keyHash).toBe(keyHash)
  expect(factsOfDer(x509.raw)).toBe(identity)
})

test('one name of the right type must match', () => {
  expect(refusePeer(check({}), certificate)).toBeUndefined()
  expect(refusePeer(check(named('uri', SPIFFE)), certificate)).toBeUndefined()
  expect(refusePeer(check(named('dns', SPIFFE)), certificate)).toBe('fail_verify_san')
  expect(refusePeer(check(named('dns', 'other.example')), certificate)).toBe('fail_verify_san')
})

test('one hash must match, and then the names all the same', () => {
  const other = '0'.repeat(64)
  expect(refusePeer(check({ certificateHashes: [other, hash] }), certificate)).toBeUndefined()
  expect(refusePeer(check({ certificateHashes: [other], keyHashes: [keyHash] }), certificate)).toBeUndefined()
  expect(refusePeer(check({ certificateHashes: [other] }), certificate)).toBe('fail_verify_cert_hash')
  expect(refusePeer(check({ keyHashes: [hash] }), certificate)).toBe('fail_verify_cert_hash')
  const both = check({ certificateHashes: [hash], ...named('dns', 'other.example') })
  expect(refusePeer(both, certificate)).toBe('fail_verify_san')
})

test('a wildcard stands for one label, whole and leftmost', () => {
  const hosts = ['a.example.com', 'A.Example.Com', 'a.b.example.com', 'example.com', '.example.com', 'axexample.com']
  expect(hosts.filter((host) => dnsNameMatches('*.example.com', host))).toEqual(['a.example.com', 'A.Example.Com'])
  expect(dnsNameMatches('*.com', 'example.com')).toBe(false)
  expect(dnsNameMatches('a*.example.com', 'ab.example.com')).toBe(false)
  expect(dnsNameMatches('a.example.com', 'a.example.com')).toBe(true)
})
