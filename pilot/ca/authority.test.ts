import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import type { SpiffeId } from '../../api/spiffe.ts'
import { ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { makeSigningRequest } from '../../lib/x509/signing-request.ts'
import { CertificateAuthority, lifeOf } from './authority.ts'
import { openMaterial } from './material.ts'

const NOW_MS = Date.UTC(2026, 10, 26)
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const REVIEWS: SpiffeId = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'bookinfo-reviews' }

const clock = new ManualClock(NOW_MS)
const folder = mkdtempSync(join(tmpdir(), 'lateen-ca-'))
const material = openMaterial(join(folder, 'ca'), 'cluster.local', clock, silentLogger)
rmSync(folder, { recursive: true })
const authority = new CertificateAuthority({ material, clock })

const request = () => makeSigningRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
const read = (pems: readonly string[]) => pems.map((pem) => new X509Certificate(pem))

test('a workload gets a certificate for its own id, valid for a day, and the root behind it', () => {
  const [leaf, root, ...more] = read(authority.signWorkload(request(), REVIEWS, 0))
  expect(more).toEqual([])
  expect(leaf?.subjectAltName).toBe('URI:spiffe://cluster.local/ns/default/sa/bookinfo-reviews')
  expect(leaf?.verify(material.certificate.publicKey)).toBe(true)
  expect(root?.raw.equals(material.certificate.raw)).toBe(true)
  expect(lifeOf(leaf as X509Certificate)).toEqual({ startMs: NOW_MS - 120_000, endMs: NOW_MS + DAY_MS })
})

test('no two certificates have the same number', () => {
  const serials = Array.from(
    { length: 100 },
    () => read(authority.signWorkload(request(), REVIEWS, 0))[0]?.serialNumber,
  )
  expect(new Set(serials).size).toBe(100)
})

test('a life that is asked for is given, up to a bound', () => {
  const [leaf] = read(authority.signWorkload(request(), REVIEWS, HOUR_MS))
  expect(lifeOf(leaf as X509Certificate).endMs).toBe(NOW_MS + HOUR_MS)
  expect(() => authority.signWorkload(request(), REVIEWS, 91 * DAY_MS)).toThrow('TTL_REFUSED')
  expect(() => authority.signWorkload(request(), REVIEWS, -1)).toThrow('TTL_REFUSED')
})

test('no certificate outlives its issuer, and a dead issuer signs none', () => {
  const late = new ManualClock(lifeOf(material.certificate).endMs - HOUR_MS)
  const aged = new CertificateAuthority({ material, clock: late })
  const [leaf] = read(aged.signWorkload(request(), REVIEWS, 0))
  expect(lifeOf(leaf as X509Certificate).endMs).toBe(lifeOf(material.certificate).endMs)
  late.advance(HOUR_MS)
  expect(() => aged.signWorkload(request(), REVIEWS, 0)).toThrow('CA_EXPIRED')
})
