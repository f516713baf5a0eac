import { afterAll, expect, test } from '@jest/globals'
import { TestCa } from '../../../test/support/certificates.ts'
import { secretPlan } from '../testing.ts'

const ca = new TestCa('secrets')
afterAll(() => ca.remove())
const leaf = ca.issue('a.example')
const other = ca.issue('b.example')
const certificate = { certificateChain: { filename: leaf.certFile }, privateKey: { inlineString: leaf.key } }
const ticketKey = (fill: number) => ({ inlineBytes: Buffer.alloc(80, fill).toString('base64') })

test('a certificate is read with its key', () => {
  const secret = secretPlan({ tlsCertificate: certificate })
  if (secret.kind !== 'tls_certificate') throw new Error(secret.kind)
  expect(secret.certificate.chain?.toString()).toBe(leaf.cert)
  expect(secret.certificate.key?.toString()).toBe(leaf.key)
})

test('several roots are one bundle', () => {
  const bundle = `a comment\n${ca.cert}\n${ca.cert}`
  const secret = secretPlan({ validationContext: { trustedCa: { inlineString: bundle } } })
  expect(secret).toMatchObject({ kind: 'validation_context', validation: { usesSystemRoots: false } })
})

test('keys of tickets are those of the first, alike everywhere', () => {
  const [one, same, another] = [[1], [1, 2], [2, 1]].map((fills) => {
    const secret = secretPlan({ sessionTicketKeys: { keys: fills.map(ticketKey) } })
    return secret.kind === 'session_ticket_keys' ? secret.ticketKeys : Buffer.alloc(0)
  })
  expect(one).toHaveLength(48)
  expect(same).toEqual(one)
  expect(another).not.toEqual(one)
})

test('the files that it names are known, and read again when asked to', () => {
  const watched = { ...certificate, watchedDirectory: { path: ca.dir } }
  const secret = secretPlan({ tlsCertificate: watched })
  expect(secret.ignored).toEqual([])
  expect([...(secret.files?.stamps.keys() ?? [])]).toEqual([leaf.certFile])
  expect(secret.files?.reread()).toMatchObject({ name: 's', certificate: { chain: Buffer.from(leaf.cert) } })
  expect(secretPlan({ validationContext: { trustedCa: { inlineString: ca.cert } } }).files).toBeUndefined()
})

test.each([
  ['no name', { name: '', tlsCertificate: certificate }, 'name: a secret needs a name'],
  ['no kind', {}, 'a tls_certificate, a validation_context or session_ticket_keys is needed'],
  ['another kind', { genericSecret: { secret: { inlineString: 'words' } } }, 'generic_secret: not supported'],
  [
    'a key of another certificate',
    { tlsCertificate: { ...certificate, privateKey: { inlineString: other.key } } },
    'tls_certificate: ',
  ],
  [
    'a key that is none',
    { tlsCertificate: { ...certificate, privateKey: { inlineString: 'words' } } },
    'tls_certificate: ',
  ],
  [
    'no key',
    { tlsCertificate: { certificateChain: certificate.certificateChain } },
    'tls_certificate.private_key: is needed',
  ],
  [
    'roots that are none',
    { validationContext: { trustedCa: { inlineString: leaf.key } } },
    'validation_context.trusted_ca: holds no certificate in PEM',
  ],
  [
    'a broken root',
    { validationContext: { trustedCa: { inlineString: ca.cert.replace(/MII/, 'AAA') } } },
    'validation_context.trusted_ca: certificate 0: ',
  ],
  [
    'a list of revoked certificates that is none',
    { validationContext: { crl: { inlineString: 'x' } } },
    'validation_context.crl',
  ],
  [
    'a short key of tickets',
    { sessionTicketKeys: { keys: [{ inlineString: 'words' }] } },
    'keys[0]: must have 80 bytes',
  ],
  ['no key of tickets', { sessionTicketKeys: {} }, 'session_ticket_keys.keys: is needed'],
])('refuses %s, and does not say what was in it', (_what, fields, message) => {
  let text = ''
  try {
    secretPlan(fields)
  } catch (thrown) {
    text = String(thrown)
  }
  expect(text).toContain(message)
  for (const key of [leaf.key, other.key]) expect(text).not.toContain(key.split('\n')[2])
  expect(text).not.toContain('words')
})
