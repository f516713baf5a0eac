import { afterAll, expect, test } from '@jest/globals'
import { type IssueOptions, TestCa } from '../../test/support/certificates.ts'
import { chooseCertificates } from './certificate-choice.ts'
import type { CertificateMaterial } from './material.ts'

const ca = new TestCa('choice')
afterAll(() => ca.remove())

function material(commonName: string, options: IssueOptions = {}): CertificateMaterial {
  const { cert, key } = ca.issue(commonName, options)
  return { chainPath: '', chain: Buffer.from(cert), key: Buffer.from(key), pkcs12: undefined, passphrase: undefined }
}

const a = material('a.example')
const aRsa = material('a.example', { keyType: 'rsa' })
const wild = material('wild', { altNames: ['DNS:*.b.example', 'DNS:b.example'] })
const named = material('c.example', { altNames: ['URI:spiffe://c'] })
const choose = (...certificates: CertificateMaterial[]) => chooseCertificates(certificates, (chosen) => chosen)

test('one certificate is for every name', () => {
  const choice = choose(a)
  expect([choice.fallback, choice.needsServerName]).toEqual([[a], false])
  expect(choice.find('other')).toBe(choice.fallback)
})

test('a pair of keys for the same names needs no choice: the handshake makes it', () => {
  const choice = choose(aRsa, a)
  expect([choice.fallback, choice.needsServerName]).toEqual([[aRsa, a], false])
})

test('each name has the first certificate of each kind of key that is for it', () => {
  const choice = choose(wild, a, aRsa, material('a.example'), named)
  expect(choice.fallback).toEqual([wild, aRsa])
  expect(choice.find('a.example')).toEqual([a, aRsa])
  expect(choice.find('x.b.example')).toEqual([wild])
  expect(choice.find('b.example')).toBe(choice.find('x.b.example'))
  // Its certificate has no DNS name, so the common name stands for one.
  expect(choice.find('c.example')).toEqual([named])
  for (const name of ['x.y.b.example', 'example', '']) expect(choice.find(name)).toBe(choice.fallback)
})

test('what is no certificate is not taken', () => {
  const broken = { ...a, chain: Buffer.from('-----BEGIN') }
  expect(() => choose(a, broken)).toThrow()
})
