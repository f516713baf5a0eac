import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { systemClock } from '../../../lib/clock.ts'
import { silentLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { systemRandom } from '../../../lib/random.ts'
import { makeSigningRequest } from '../../../lib/x509/signing-request.ts'
import { type Ca, openCa } from '../../../pilot/ca/open.ts'
import { CaClient } from '../../../proxy/agent/identity/ca-client.ts'
import { type WorkloadCertificate, WorkloadIdentity } from '../../../proxy/agent/identity/workload-identity.ts'

/** A proxy's agent gets its certificate from a pilot's authority, over gRPC and TLS. */

const TOKEN = 'c0ffee'.repeat(8)
const folder = mkdtempSync(join(tmpdir(), 'lateen-identity-'))
const file = (name: string) => join(folder, name)
let authority: Ca
let port: number

beforeAll(async () => {
  mkdirSync(file('tokens/default'), { recursive: true })
  writeFileSync(file('tokens/default/reviews'), `${TOKEN}\n`)
  writeFileSync(file('wrong-token'), 'decaf'.repeat(8))
  authority = openAuthority('ca')
  port = await authority.server.listen('127.0.0.1:0')
  // Only for its root.
  openAuthority('other').close()
})

afterAll(() => {
  authority.close()
  rmSync(folder, { recursive: true })
})

function openAuthority(dir: string): Ca {
  return openCa(
    {
      address: '127.0.0.1:0',
      dir: file(dir),
      trustDomain: 'cluster.local',
      serverNames: ['127.0.0.1'],
      tokensDir: file('tokens'),
      serviceAccounts: undefined,
    },
    { clock: systemClock, log: silentLogger, metrics: new MetricStore() },
  )
}

function client(
  more: { readonly rootFile?: string; readonly tokenFile?: string; readonly address?: string } = {},
): CaClient {
  return new CaClient({
    address: `127.0.0.1:${port}`,
    rootFile: file('ca/root-cert.pem'),
    tokenFile: file('tokens/default/reviews'),
    lifeSeconds: 3600,
    clock: systemClock,
    ...more,
  })
}

const never = new AbortController().signal
const request = () => makeSigningRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)

test('an agent gets a certificate for the workload whose token it has', async () => {
  const certificate = await new Promise<WorkloadCertificate>((resolve) => {
    const around = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: new MetricStore() }
    const identity = new WorkloadIdentity({
      source: client(),
      ...around,
      onCertificate: (given) => {
        identity.close()
        resolve(given)
      },
    })
    identity.start()
  })
  const leaf = new X509Certificate(certificate.chain)
  expect(leaf.subjectAltName).toBe('URI:spiffe://cluster.local/ns/default/sa/reviews')
  expect(leaf.verify(new X509Certificate(certificate.roots).publicKey)).toBe(true)
  const lifeSeconds = (certificate.endMs - certificate.startMs) / 1000
  // An hour, and the two minutes before now that clocks may differ by.
  expect(Math.abs(lifeSeconds - 3720)).toBeLessThanOrEqual(1)
})

test('a server that leads to another root is told nothing, not even the token', async () => {
  await expect(client({ rootFile: file('other/root-cert.pem') }).sign(request(), never)).rejects.toThrow(
    'CA_UNREACHABLE',
  )
})

test.each<[string, () => Promise<unknown>, string]>([
  ['a token of nobody', () => client({ tokenFile: file('wrong-token') }).sign(request(), never), 'CA_REFUSED'],
  ['no token file', () => client({ tokenFile: file('none') }).sign(request(), never), 'CA_UNREACHABLE'],
  ['nobody at the address', () => client({ address: '127.0.0.1:1' }).sign(request(), never), 'CA_UNREACHABLE'],
  ['something that is no request', () => client().sign('hello', never), 'CA_REFUSED'],
])('%s gets none, and the error says why', async (_what, ask, code) => {
  const error = (await ask().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )) as Error
  expect(String(error)).toContain(code)
  expect(String(error)).not.toContain(TOKEN)
})

test('a request that is given up ends at once', async () => {
  const abort = new AbortController()
  const asked = client().sign(request(), abort.signal)
  abort.abort()
  await expect(asked).rejects.toThrow(/CA_UNREACHABLE|CANCELLED/)
})
