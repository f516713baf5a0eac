import { afterAll, expect, test } from '@jest/globals'
import { type IssueOptions, TestCa } from '../../test/support/certificates.ts'
import { certificateChoice } from './certificate-choice.ts'
import type { CertificateMaterial } from './material.ts'

const ca = new TestCa('choice')
afterAll(() => ca.remove())

function material(commonName: string, options: IssueOptions = {}): CertificateMaterial {
  const { cert, key } = ca.issue(commonName, options)
  return { chain: Buffer.from(cert), key: Buffer.from(key), pkcs12: undefined, passphrase: undefined }
}

const a = material('a.example')
const aRsa = material('a.example', { keyType: 'rsa' })
const wild = material('wild', { altNames: ['DNS:*.b.example', 'DNS:b.example'] })
const named = material('c.example', { altNames: ['URI:spiffe://c'] })

test('one certificate is for every name', () => {
  const choice = certificateChoice([a])
  expect([choice.fallback, choice.byName.size]).toEqual([[a], 0])
  expect(choice.find('other')).toBeUndefined()
})

test('each name has the first certificate of each kind of key that is for it', () => {
  const choice = certificateChoice([wild, a, aRsa, material('a.example'), named])
  expect(choice.fallback).toEqual([wild, aRsa])
  expect(choice.find('A.example')).toEqual([a, aRsa])
  expect(choice.find('x.b.example')).toEqual([wild])
  expect(choice.find('b.example')).toEqual([wild])
  expect(choice.find('x.y.b.example')).toBeUndefined()
  // Its certificate has no DNS name, so the common name stands for one.
  expect(choice.find('c.example')).toEqual([named])
})

test('what is no certificate is not taken', () => {
  const broken = { ...a, chain: Buffer.from('-----BEGIN') }
  expect(() => certificateChoice([a, broken])).toThrow()
})
