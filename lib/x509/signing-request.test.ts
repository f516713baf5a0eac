import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { randomInt, seededRandom, systemRandom } from '../random.ts'
import { fromPem, toPem } from './pem.ts'
import { makeSigningRequest, readSigningRequest } from './signing-request.ts'

const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))

const KEYS: Record<string, () => KeyObject> = {
  'P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  'P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  'RSA 2048': () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
}
const spki = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' })

test.each(Object.keys(KEYS))('a request for a key of %s is read as it was made', (kind) => {
  const key = (KEYS[kind] as () => KeyObject)()
  const pem = makeSigningRequest(key)
  expect(spki(readSigningRequest(pem))).toBe(spki(createPublicKey(key)))
  const seen = execFileSync('openssl', ['req', '-verify', '-noout', '-text'], { input: pem, encoding: 'utf8' })
  expect(seen).toContain('Certificate Request')
})

test("openssl's requests are read, whatever name they ask for", () => {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-csr-'))
  const [key, csr] = [join(dir, 'key.pem'), join(dir, 'csr.pem')]
  const names = ['-subj', '/CN=admin', '-addext', 'subjectAltName=URI:spiffe://other/ns/x/sa/y']
  execFileSync('openssl', ['genpkey', '-algorithm', 'RSA', '-out', key], { stdio: 'ignore' })
  execFileSync('openssl', ['req', '-new', '-key', key, '-out', csr, ...names])
  expect(spki(readSigningRequest(readFileSync(csr, 'utf8')))).toBe(spki(createPublicKey(readFileSync(key))))
  rmSync(dir, { recursive: true })
})

test.each<[string, () => string, string]>([
  ['weak RSA', () => makeRequestOf(() => generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey), '1024 bits'],
  ['a curve that few take', () => opensslRequest('EC', 'ec_paramgen_curve:secp256k1'), 'neither P-256'],
  ['Ed25519', () => opensslRequest('ED25519'), 'ed25519'],
  ['no PEM', () => 'hello', 'PEM'],
  ['two requests', () => `${requestOf('P-256')}${requestOf('P-256')}`, 'PEM'],
  ['another thing', () => toPem('CERTIFICATE', Buffer.of(0x30, 0)), 'PEM'],
  ['an empty sequence', () => toPem('CERTIFICATE REQUEST', Buffer.of(0x30, 0)), ''],
  ['deep nesting', () => toPem('CERTIFICATE REQUEST', nested(2_000)), ''],
  ['a length beyond the end', () => toPem('CERTIFICATE REQUEST', Buffer.of(0x30, 0x84, 0x7f, 0xff, 0xff, 0xff)), ''],
  ['more than a request can have', () => `${' '.repeat(20_000)}${requestOf('P-256')}`, 'longer'],
  [
    'bytes behind it',
    () => toPem('CERTIFICATE REQUEST', Buffer.concat([derOf(requestOf('P-256')), Buffer.of(5, 0)])),
    '',
  ],
])('%s is refused', (_what, make, reason) => {
  expect(() => readSigningRequest(make())).toThrow(/^CSR_INVALID: the signing request is refused/)
  expect(() => readSigningRequest(make())).toThrow(reason)
})

test(`one with any bit changed is refused, or still asks for the same key (seed ${seed})`, () => {
  const random = seededRandom(seed)
  const key = (KEYS['P-256'] as () => KeyObject)()
  const der = derOf(makeSigningRequest(key))
  for (let i = 0; i < 300; i++) {
    const changed = Buffer.from(der)
    const at = randomInt(random, changed.length)
    changed[at] = (changed[at] as number) ^ (1 << randomInt(random, 8))
    let read: KeyObject | undefined
    try {
      read = readSigningRequest(toPem('CERTIFICATE REQUEST', changed))
    } catch (thrown) {
      expect(String(thrown)).toContain('CSR_INVALID')
    }
    // What the signature does not cover may change: the way its own numbers are written.
    if (read !== undefined) expect(spki(read)).toBe(spki(createPublicKey(key)))
  }
})

function requestOf(kind: string): string {
  return makeSigningRequest((KEYS[kind] as () => KeyObject)())
}

function makeRequestOf(key: () => KeyObject): string {
  return makeSigningRequest(key())
}

function derOf(pem: string): Buffer {
  return fromPem(pem, 'CERTIFICATE REQUEST')[0] as Buffer
}

function nested(depth: number): Buffer {
  let bytes: Buffer = Buffer.of(0x30, 0)
  for (let i = 0; i < depth; i++) {
    const length = bytes.length
    bytes = Buffer.concat([Buffer.of(0x30, 0x82, length >> 8, length & 0xff), bytes])
  }
  return bytes
}

function opensslRequest(algorithm: string, option?: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-csr-'))
  const key = join(dir, 'key.pem')
  const options = option === undefined ? [] : ['-pkeyopt', option]
  execFileSync('openssl', ['genpkey', '-algorithm', algorithm, ...options, '-out', key], { stdio: 'ignore' })
  const pem = execFileSync('openssl', ['req', '-new', '-key', key, '-subj', '/CN=a'], { encoding: 'utf8' })
  rmSync(dir, { recursive: true })
  return pem
}
