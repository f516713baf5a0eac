import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { beforeEach, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { MeshError } from '../../../lib/errors.ts'
import { type Logger, silentLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { seededRandom } from '../../../lib/random.ts'
import { makeCertificate } from '../../../lib/x509/certificate.ts'
import { readSigningRequest } from '../../../lib/x509/signing-request.ts'
import type { CertificateSource } from './certificate-source.ts'
import { type WorkloadCertificate, WorkloadIdentity } from './workload-identity.ts'

const NOW_MS = Date.UTC(2026, 10, 26)
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rootSpec = {
  publicKey: pair.publicKey,
  organization: 'root',
  names: [],
  isAuthority: true,
  notBeforeMs: NOW_MS - DAY_MS,
  notAfterMs: NOW_MS + 100 * DAY_MS,
  serial: randomBytes(8),
}
const root = makeCertificate(rootSpec, { key: pair.privateKey })

/** Signs what it is asked for, until it is told to fail. */
class Authority implements CertificateSource {
  asked = 0
  error: Error | undefined
  lifeMs = DAY_MS
  otherKey: KeyObject | undefined

  async sign(csr: string): Promise<readonly string[]> {
    this.asked++
    if (this.error !== undefined) throw this.error
    const spec = {
      publicKey: this.otherKey ?? readSigningRequest(csr),
      organization: '',
      names: [{ type: 'uri' as const, value: 'spiffe://cluster.local/ns/a/sa/b' }],
      isAuthority: false,
      notBeforeMs: clock.wallMs() - 60_000,
      notAfterMs: clock.wallMs() + this.lifeMs,
      serial: randomBytes(8),
    }
    return [makeCertificate(spec, { certificate: new X509Certificate(root), key: pair.privateKey }), root]
  }
}

let clock: ManualClock
let authority: Authority
let identity: WorkloadIdentity
let metrics: MetricStore
let given: WorkloadCertificate[]
let said: string[]

beforeEach(() => {
  clock = new ManualClock(NOW_MS)
  authority = new Authority()
  metrics = new MetricStore()
  given = []
  said = []
  const log: Logger = { ...silentLogger, error: (message) => said.push(message) }
  const onCertificate = (certificate: WorkloadCertificate) => given.push(certificate)
  identity = new WorkloadIdentity({ source: authority, clock, random: seededRandom(3), log, metrics, onCertificate })
})

const metric = (name: string) => metrics.all().find((one) => one.name === `workload_identity.${name}`)?.value

/** The certificate that is asked for is there some turns later. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn()
}

async function advance(ms: number): Promise<void> {
  clock.advance(ms)
  await settle()
}

test('a certificate is for a key of our own, and is renewed at about half of its life, with another key', async () => {
  identity.start()
  await settle()
  expect(given.length).toBe(1)
  const [first] = given as [WorkloadCertificate]
  expect(new X509Certificate(first.chain).checkPrivateKey(createPrivateKey(first.privateKey))).toBe(true)
  expect(first.roots).toBe(root)
  expect(metric('expires_at_seconds')).toBe((NOW_MS + DAY_MS) / 1000)
  await advance(0.45 * DAY_MS - 1)
  expect(given.length).toBe(1)
  await advance(0.1 * DAY_MS + 1)
  expect(given.length).toBe(2)
  expect(given[1]?.privateKey).not.toBe(first.privateKey)
  expect(metric('renewals')).toBe(2)
})

test('while the authority fails the last certificate stays, which is said, and it is asked again', async () => {
  identity.start()
  await settle()
  authority.error = new MeshError('CA_UNREACHABLE', 'connection refused', { source: 'upstream' })
  await advance(0.55 * DAY_MS)
  expect(authority.asked).toBe(2)
  expect(identity.current).toBe(given[0])
  expect(identity.lastError).toContain('connection refused')
  expect(said).toEqual(['no new workload certificate; the last one stays'])
  const { failingSinceMs } = identity.state
  expect(failingSinceMs).toBeGreaterThan(identity.state.startMs as number)
  for (let i = 0; i < 3; i++) await advance(61_000)
  expect(authority.asked).toBeGreaterThanOrEqual(5)
  expect(identity.state).toMatchObject({ endMs: given[0]?.endMs, isExpired: false, failingSinceMs })
  expect(metric('renewal_failures')).toBe(authority.asked - 1)
  authority.error = undefined
  await advance(61_000)
  expect(given.length).toBe(2)
  expect(identity.state).toMatchObject({ endMs: given[1]?.endMs, lastError: '', failingSinceMs: undefined })
})

test('an authority that is away for days is asked about once a minute, not more', async () => {
  authority.error = new Error('away')
  identity.start()
  await settle()
  await advance(60_000)
  const asked = authority.asked
  for (let i = 0; i < 600; i++) await advance(1_000)
  expect(authority.asked - asked).toBeLessThan(60)
  expect(authority.asked - asked).toBeGreaterThan(8)
})

test('many that begin at one time do not ask again at one time', async () => {
  const due: number[] = []
  for (let seed = 0; seed < 50; seed++) {
    clock = new ManualClock(NOW_MS)
    const own = new Authority()
    const options = { source: own, clock, log: silentLogger, metrics: new MetricStore(), onCertificate: () => {} }
    const one = new WorkloadIdentity({ ...options, random: seededRandom(seed) })
    one.start()
    await settle()
    let hours = 0
    while (own.asked < 2) {
      await advance(0.24 * HOUR_MS)
      hours += 0.24
    }
    due.push(Math.round(hours * 100))
    one.close()
  }
  expect(new Set(due).size).toBeGreaterThan(5)
  expect(Math.min(...due)).toBeGreaterThanOrEqual(1080)
  expect(Math.max(...due)).toBeLessThanOrEqual(1344)
})

test.each<[string, () => void]>([
  [
    'for another key',
    () => {
      authority.otherKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
    },
  ],
  [
    'that has nearly ended',
    () => {
      authority.lifeMs = 1_000
    },
  ],
])('a certificate %s is not taken', async (_what, spoil) => {
  spoil()
  identity.start()
  await settle()
  expect(given).toEqual([])
  expect(identity.lastError).toContain('CA_REFUSED')
})

test('after the end nothing is asked and nothing is given', async () => {
  identity.start()
  identity.close()
  await settle()
  expect(given).toEqual([])
  await advance(10 * DAY_MS)
  expect(authority.asked).toBe(1)
  expect(clock.pendingTimers).toBe(0)
})
