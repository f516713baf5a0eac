import { X509Certificate } from 'node:crypto'
import { afterAll, expect, test } from '@jest/globals'
import { TestCa } from '../../test/support/certificates.ts'
import { secretRows } from './secrets.ts'

const ca = new TestCa('rows')
afterAll(() => ca.remove())
const leaf = ca.issue('a.example')
const facts = (pem: string) => {
  const { serialNumber, validFrom, validTo } = new X509Certificate(pem)
  const time = (text: string) => new Date(text).toISOString().replace('.000Z', 'Z')
  return { serial: serialNumber.toLowerCase(), notAfter: time(validTo), notBefore: time(validFrom) }
}
const [leafFacts, caFacts] = [facts(leaf.cert), facts(ca.cert)]
const DURING = Date.parse(leafFacts.notBefore) + 1000
const bytes = (text: string) => ({ inline_bytes: Buffer.from(text).toString('base64') })
const chain = (certificate_chain: object) => ({
  tls_certificate: { certificate_chain, private_key: bytes('[redacted]') },
})
const roots = (trusted_ca: object) => ({ validation_context: { trusted_ca } })

test('chains by their first certificate, roots one by one, and what has not come', () => {
  const dump = {
    static_secrets: [{ name: 'here', secret: chain({ inline_string: leaf.cert + ca.cert }) }],
    dynamic_active_secrets: [{ name: 'ROOTCA', secret: roots(bytes(ca.cert + leaf.cert)) }],
    dynamic_warming_secrets: [{ name: 'default' }],
  }
  expect(secretRows(dump, { certificates: [] }, DURING)).toEqual([
    { name: 'here', type: 'Cert Chain', status: 'ACTIVE', isValid: true, ...leafFacts },
    { name: 'ROOTCA', type: 'CA', status: 'ACTIVE', isValid: true, ...caFacts },
    { name: 'ROOTCA', type: 'CA', status: 'ACTIVE', isValid: true, ...leafFacts },
    { name: 'default', type: '', status: 'WARMING', isValid: false, serial: '', notAfter: '', notBefore: '' },
  ])
})

test('what is in files is known by their paths', () => {
  const details = {
    path: '/a.pem',
    serial_number: leafFacts.serial,
    valid_from: leafFacts.notBefore,
    expiration_time: leafFacts.notAfter,
  }
  const certs = { certificates: [{ ca_cert: [], cert_chain: [details] }, { cert_chain: [details] }] }
  const dump = {
    dynamic_active_secrets: [
      { name: 'file-cert:/a.pem~/a.key', secret: chain({ filename: '/a.pem' }) },
      { name: 'file-root:/b.pem', secret: roots({ filename: '/b.pem' }) },
    ],
  }
  const [found, unused] = secretRows(dump, certs, DURING)
  expect(found).toMatchObject({ type: 'Cert Chain', isValid: true, ...leafFacts })
  expect(unused).toMatchObject({ type: 'CA', isValid: false, serial: '' })
})

test('before its time and after it a certificate is not valid', () => {
  const dump = { static_secrets: [{ name: 'here', secret: chain({ inline_string: leaf.cert }) }] }
  const validAt = (nowMs: number) => secretRows(dump, {}, nowMs)[0]?.isValid
  expect([Date.parse(leafFacts.notBefore) - 1, DURING, Date.parse(leafFacts.notAfter)].map(validAt)).toEqual([
    false,
    true,
    false,
  ])
})
