import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { type CertificateSpec, makeCertificate } from './certificate.ts'

const NOW_MS = Date.UTC(2026, 10, 26, 12)
const DAY_MS = 86_400_000

interface Pair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

const ec = (): Pair => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384 = (): Pair => generateKeyPairSync('ec', { namedCurve: 'P-384' })
const rsa = (): Pair => generateKeyPairSync('rsa', { modulusLength: 2048 })

function spec(publicKey: KeyObject, more: Partial<CertificateSpec> = {}): CertificateSpec {
  return {
    publicKey,
    organization: '',
    names: [],
    isAuthority: false,
    notBeforeMs: NOW_MS,
    notAfterMs: NOW_MS + DAY_MS,
    serial: randomBytes(16),
    ...more,
  }
}

function authority(pair: Pair, organization: string, signer?: { certificate: X509Certificate; key: KeyObject }) {
  const own = spec(pair.publicKey, { organization, isAuthority: true, notAfterMs: NOW_MS + 40 * 365 * DAY_MS })
  const pem = makeCertificate(own, signer ?? { key: pair.privateKey })
  return { certificate: new X509Certificate(pem), key: pair.privateKey, pem }
}

test.each([
  ['P-256', ec],
  ['P-384', p384],
  ['RSA', rsa],
])('a chain by keys of %s is one for node and for openssl', (_kind, make) => {
  const root = authority(make(), 'cluster.local')
  const middle = authority(make(), 'cluster.local intermediate', root)
  const leaf = makeCertificate(
    spec(make().publicKey, {
      names: [
        { type: 'uri', value: 'spiffe://cluster.local/ns/default/sa/bookinfo-reviews' },
        { type: 'dns', value: 'reviews.default.svc' },
        { type: 'ip', value: Buffer.of(127, 0, 0, 1) },
      ],
    }),
    middle,
  )
  const read = new X509Certificate(leaf)
  expect(read.subjectAltName).toBe(
    'URI:spiffe://cluster.local/ns/default/sa/bookinfo-reviews, DNS:reviews.default.svc, IP Address:127.0.0.1',
  )
  expect(read.subject ?? '').toBe('')
  expect(read.issuer).toBe('O=cluster.local intermediate')
  expect(read.ca).toBe(false)
  expect(read.checkIssued(middle.certificate)).toBe(true)
  expect(read.verify(middle.certificate.publicKey)).toBe(true)
  expect(middle.certificate.ca).toBe(true)
  expect(root.certificate.verify(root.certificate.publicKey)).toBe(true)
  expect(Date.parse(read.validFrom)).toBe(NOW_MS)
  expect(Date.parse(read.validTo)).toBe(NOW_MS + DAY_MS)
  // Beyond 2049 times are written in another way.
  expect(new Date(root.certificate.validTo).getUTCFullYear()).toBe(2066)
  expect(opensslVerify(root.pem, middle.pem, leaf)).toContain('OK')
  for (const purpose of ['sslserver', 'sslclient'])
    expect(opensslVerify(root.pem, middle.pem, leaf, purpose)).toContain('OK')
})

test('a certificate that is no authority signs nothing that is believed', () => {
  const root = authority(ec(), 'cluster.local')
  const pair = ec()
  const leaf = makeCertificate(spec(pair.publicKey, { names: [{ type: 'dns', value: 'a' }] }), root)
  const forged = makeCertificate(spec(ec().publicKey, { names: [{ type: 'dns', value: 'b' }] }), {
    certificate: new X509Certificate(leaf),
    key: pair.privateKey,
  })
  expect(() => opensslVerify(root.pem, leaf, forged)).toThrow()
})

test('an authority of path length 0 has no other below it', () => {
  const root = authority(ec(), 'root')
  const pair = ec()
  const own = spec(pair.publicKey, { organization: 'last', isAuthority: true, pathLength: 0 })
  const last = { certificate: new X509Certificate(makeCertificate(own, root)), key: pair.privateKey }
  const below = authority(ec(), 'below', last)
  const leaf = makeCertificate(spec(ec().publicKey, { names: [{ type: 'dns', value: 'a' }] }), below)
  expect(() => opensslVerify(root.pem, `${last.certificate}${below.pem}`, leaf)).toThrow()
})

test('serial numbers are positive and not over 20 bytes, whatever is given', () => {
  for (const serial of [Buffer.alloc(20, 0xff), Buffer.alloc(16), randomBytes(32)]) {
    const pair = ec()
    const own = spec(pair.publicKey, { serial, names: [{ type: 'dns', value: 'a' }] })
    const { serialNumber } = new X509Certificate(makeCertificate(own, { key: pair.privateKey }))
    expect(serialNumber).toMatch(/^[4-7][0-9A-F]{1,39}$/)
  }
})

function opensslVerify(root: string, middle: string, leaf: string, purpose = 'any'): string {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-x509-'))
  const files = Object.entries({ root, middle, leaf }).map(([name, pem]) => {
    const file = join(dir, `${name}.pem`)
    writeFileSync(file, pem)
    return file
  })
  const [rootFile, middleFile, leafFile] = files as [string, string, string]
  const at = String(NOW_MS / 1000 + 60)
  const args = [
    'verify',
    '-x509_strict',
    '-attime',
    at,
    '-purpose',
    purpose,
    '-CAfile',
    rootFile,
    '-untrusted',
    middleFile,
  ]
  try {
    return execFileSync('openssl', [...args, leafFile], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } finally {
    rmSync(dir, { recursive: true })
  }
}
