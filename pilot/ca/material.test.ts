import { generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { makeCertificate } from '../../lib/x509/certificate.ts'
import { openMaterial } from './material.ts'

const NOW_MS = Date.UTC(2026, 10, 26)
const DAY_MS = 86_400_000

let folder: string
const clock = new ManualClock(NOW_MS)
const open = (dir: string) => openMaterial(dir, 'cluster.local', clock, silentLogger)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lateen-ca-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a folder that is not there gets a root that signs itself, for its owner only, and keeps it', () => {
  const dir = join(folder, 'state', 'ca')
  const made = open(dir)
  expect(made.certificate.subject).toBe('O=cluster.local')
  expect(made.chain).toEqual([])
  expect(Date.parse(made.certificate.validTo)).toBe(NOW_MS + 3650 * DAY_MS)
  expect(readdirSync(dir).sort()).toEqual(['ca-cert.pem', 'ca-key.pem', 'cert-chain.pem', 'root-cert.pem'])
  for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600)
  expect(statSync(dir).mode & 0o777).toBe(0o700)
  expect(readdirSync(join(folder, 'state'))).toEqual(['ca'])
  expect(open(dir).certificate.raw.equals(made.certificate.raw)).toBe(true)
})

test('a folder may be written with a slash at its end, and one that cannot be made is named', () => {
  expect(open(`${join(folder, 'slash')}/`).certificate.subject).toBe('O=cluster.local')
  expect(readdirSync(folder)).toEqual(['slash'])
  writeFileSync(join(folder, 'file'), '')
  expect(() => open(join(folder, 'file', 'ca'))).toThrow(/^CA_INVALID: .*file\/ca: /)
})

interface Authority {
  readonly pem: string
  readonly certificate: X509Certificate
  readonly key: KeyObject
}

function authority(organization: string, signer?: Authority, isAuthority = true): Authority {
  const { publicKey, privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const life = { notBeforeMs: NOW_MS - DAY_MS, notAfterMs: NOW_MS + DAY_MS, serial: randomBytes(8) }
  const pem = makeCertificate({ publicKey, organization, names: [], isAuthority, ...life }, signer ?? { key })
  return { pem, certificate: new X509Certificate(pem), key }
}

function plugIn(own: Authority, chain: readonly Authority[], roots: readonly Authority[], key = own.key): string {
  const dir = join(folder, 'cacerts')
  mkdirSync(dir)
  writeFileSync(join(dir, 'ca-cert.pem'), own.pem)
  writeFileSync(join(dir, 'ca-key.pem'), key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  writeFileSync(join(dir, 'cert-chain.pem'), chain.map(({ pem }) => pem).join(''))
  writeFileSync(join(dir, 'root-cert.pem'), roots.map(({ pem }) => pem).join(''))
  return dir
}

test('an intermediate that was put there comes with what leads to its root', () => {
  const root = authority('root')
  const upper = authority('upper', root)
  const lower = authority('lower', upper)
  const other = authority('another root')
  // As Istio's documentation makes it, the chain has the root too; order does not matter.
  const { certificate, chain, roots } = open(plugIn(lower, [root, lower, upper], [other, root]))
  expect(certificate.subject).toBe('O=lower')
  expect(chain.map((pem) => new X509Certificate(pem).subject)).toEqual(['O=lower', 'O=upper'])
  expect(roots).toBe(other.pem + root.pem)
})

test.each<[string, () => string, string]>([
  ['no root', () => plugIn(authority('a'), [], []), 'root-cert.pem'],
  ['a key that does not fit', () => withRoot((root) => plugIn(root, [], [root], authority('b').key)), 'ca-key.pem'],
  ['a leaf', () => withRoot((root) => plugIn(authority('leaf', root, false), [], [root])), 'ca-cert.pem'],
  [
    'a chain with a gap',
    () => withRoot((root) => plugIn(authority('low', authority('mid', root)), [], [root])),
    'cert-chain',
  ],
  [
    'a root of the same name',
    () => withRoot((root) => plugIn(authority('low', root), [], [authority('root')])),
    'cert-chain',
  ],
  [
    'no certificate',
    () => withRoot((root) => writeOver(plugIn(root, [], [root]), 'ca-cert.pem', 'x')),
    'ca-cert.pem: it holds no',
  ],
  ['no key', () => withRoot((root) => writeOver(plugIn(root, [], [root]), 'ca-key.pem', 'x')), 'ca-key.pem'],
])('%s is refused, with the file that is wrong', (_what, make, file) => {
  const dir = make()
  expect(() => open(dir)).toThrow(/^CA_INVALID: /)
  expect(() => open(dir)).toThrow(file)
})

test('a key that others may write is refused, one that they may read is told of', () => {
  const root = authority('root')
  const dir = plugIn(root, [], [root])
  const told: string[] = []
  const log = { ...silentLogger, warning: (message: string) => told.push(message) }
  chmodSync(join(dir, 'ca-key.pem'), 0o644)
  expect(openMaterial(dir, 'cluster.local', clock, log).certificate.subject).toBe('O=root')
  expect(told).toEqual(['others than its owner may read the authority’s key'])
  chmodSync(join(dir, 'ca-key.pem'), 0o620)
  expect(() => open(dir)).toThrow('chmod 600')
})

function withRoot(make: (root: Authority) => string): string {
  return make(authority('root'))
}

function writeOver(dir: string, name: string, text: string): string {
  writeFileSync(join(dir, name), text)
  return dir
}
