import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as tlsConnect } from 'node:tls'
import { create } from '@bufbuild/protobuf'
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import {
  type IstioCertificateRequest,
  IstioCertificateRequestSchema,
  type IstioCertificateResponse,
  IstioCertificateService,
} from '../../api/gen/istio/v1/auth/ca_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'
import { ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { makeSigningRequest } from '../../lib/x509/signing-request.ts'
import { CertificateAuthority } from './authority.ts'
import { LeafLedger } from './leaf-ledger.ts'
import { openMaterial } from './material.ts'
import { CaServer } from './server.ts'
import { TokenFiles } from './token-files.ts'

const HOUR_MS = 3_600_000
/** So long ago that what is made half a day later is valid for the clients, who have no clock but the machine's. */
const NOW_MS = Date.now() - 13 * HOUR_MS
const TOKEN = 'a'.repeat(40)

const folder = mkdtempSync(join(tmpdir(), 'lateen-ca-'))
const clock = new ManualClock(NOW_MS)
const metrics = new MetricStore()
let authority: CertificateAuthority
let server: CaServer
let port: number

beforeAll(async () => {
  mkdirSync(join(folder, 'tokens', 'default'), { recursive: true })
  writeFileSync(join(folder, 'tokens', 'default', 'reviews'), TOKEN)
  const material = openMaterial(join(folder, 'ca'), 'cluster.local', clock, silentLogger)
  authority = new CertificateAuthority({ material, clock })
  server = new CaServer({
    authority,
    ledger: new LeafLedger(clock),
    callers: [new TokenFiles(join(folder, 'tokens'), 'cluster.local', clock, silentLogger)],
    trustDomain: 'cluster.local',
    serverNames: ['localhost', '127.0.0.1'],
    clock,
    log: silentLogger,
    metrics,
  })
  port = await server.listen('127.0.0.1:0')
})

afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

const { createCertificate } = serviceDefinition(IstioCertificateService)

interface Asked {
  readonly csr?: string
  readonly authorization?: readonly string[]
  readonly seconds?: number
  readonly channel?: ChannelCredentials
}

async function ask(asked: Asked): Promise<readonly string[]> {
  const channel = asked.channel ?? credentials.createSsl(Buffer.from(authority.roots))
  const client = new Client(`127.0.0.1:${port}`, channel)
  const metadata = new Metadata()
  for (const value of asked.authorization ?? [`Bearer ${TOKEN}`]) metadata.add('authorization', value)
  const request = create(IstioCertificateRequestSchema, {
    csr: asked.csr ?? signingRequest(),
    validityDuration: BigInt(asked.seconds ?? 0),
  })
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest<IstioCertificateRequest, IstioCertificateResponse>(
        createCertificate?.path as string,
        createCertificate?.requestSerialize as never,
        createCertificate?.responseDeserialize as never,
        request,
        metadata,
        { deadline: Date.now() + 10_000 },
        (error, response) => (error === null ? resolve(response?.certChain ?? []) : reject(error)),
      )
    })
  } finally {
    client.close()
  }
}

const signingRequest = () => makeSigningRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)

test('who has a token gets a certificate for its own id, whatever the request asks for', async () => {
  const chain = await ask({ seconds: 3600 })
  const leaf = new X509Certificate(chain[0] as string)
  expect(leaf.subjectAltName).toBe('URI:spiffe://cluster.local/ns/default/sa/reviews')
  expect(leaf.verify(new X509Certificate(authority.roots).publicKey)).toBe(true)
  expect(chain.at(-1)).toBe(authority.roots)
  expect(Date.parse(leaf.validTo)).toBeLessThanOrEqual(NOW_MS + HOUR_MS)
})

test.each<[string, Asked, status, string]>([
  ['no token', { authorization: [] }, status.UNAUTHENTICATED, 'bearer'],
  ['a token in another scheme', { authorization: [`Basic ${TOKEN}`] }, status.UNAUTHENTICATED, 'bearer'],
  ['a token of nobody', { authorization: [`Bearer ${'b'.repeat(40)}`] }, status.UNAUTHENTICATED, 'nobody'],
  ['no signing request', { csr: '' }, status.INVALID_ARGUMENT, 'CSR_INVALID'],
  ['a life of years', { seconds: 10 * 365 * 86_400 }, status.INVALID_ARGUMENT, 'TTL_REFUSED'],
  ['more than a request can have', { csr: 'x'.repeat(100_000) }, status.RESOURCE_EXHAUSTED, 'larger'],
])('%s gets none', async (_what, asked, code, reason) => {
  const error = (await ask(asked).then(
    () => undefined,
    (thrown: ServiceError) => thrown,
  )) as ServiceError
  expect(error?.code).toBe(code)
  expect(error.details).toContain(reason)
})

test('nothing is said in the clear', async () => {
  await expect(ask({ channel: credentials.createInsecure() })).rejects.toMatchObject({ code: status.UNAVAILABLE })
})

test('its own certificate is renewed at half of its life, and connections take the new one', async () => {
  const before = await serverCertificate()
  expect(before.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1')
  clock.advance(12 * HOUR_MS)
  const after = await serverCertificate()
  expect(after.serialNumber).not.toBe(before.serialNumber)
  expect(Date.parse(after.validTo)).toBe(Date.parse(before.validTo) + 12 * HOUR_MS)
  expect((await ask({})).length).toBe(2)
})

test('what was given and what was refused is counted', () => {
  const values = Object.fromEntries(metrics.all().map(({ name, value }) => [name, value]))
  expect(values.citadel_server_success_cert_issuance_count).toBe(2)
  expect(values.citadel_server_authentication_failure_count).toBe(6)
})

function serverCertificate(): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ port, host: '127.0.0.1', ca: authority.roots, ALPNProtocols: ['h2'] }, () => {
      const raw = socket.getPeerX509Certificate()?.raw
      socket.destroy()
      if (raw === undefined) reject(new Error('no certificate was shown'))
      else resolve(new X509Certificate(raw))
    })
    socket.on('error', reject)
  })
}
