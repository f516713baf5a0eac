import { createHmac } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JSONWebKeySet, SignJWT } from 'jose'
import { ManualClock } from '../../lib/clock.ts'
import { type Logger, silentLogger } from '../../lib/log.ts'
import { identifyCaller } from './callers.ts'
import { ServiceAccountTokens } from './service-account-tokens.ts'
import { TokenFiles } from './token-files.ts'

const NOW_MS = Date.UTC(2026, 10, 26)
const REVIEWS = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'reviews' }
const clock = new ManualClock(NOW_MS)

// === token files ===

let folder: string
const told: string[] = []
const log: Logger = { ...silentLogger, warning: (_message, fields) => told.push(String(fields?.reason)) }

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lateen-tokens-'))
  told.length = 0
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const secret = (letter: string) => letter.repeat(40)

function write(path: string, text: string): void {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

test("a token in a workload's file is that workload's, as long as it stands there", async () => {
  const files = new TokenFiles(folder, 'cluster.local', clock, log)
  expect(await files.identify(secret('a'))).toBeUndefined()
  write('default/reviews', `${secret('a')}\n`)
  // Not looked at again within a second: a stranger with many tokens must not keep the disk busy.
  expect(await files.identify(secret('a'))).toBeUndefined()
  clock.advance(1_000)
  expect(await files.identify(secret('a'))).toEqual(REVIEWS)
  write('default/reviews', secret('b'))
  clock.advance(1_000)
  expect(await files.identify(secret('a'))).toBeUndefined()
  expect(await files.identify(secret('b'))).toEqual(REVIEWS)
})

test('short tokens, tokens of two workloads and files at other places are nobody’s', async () => {
  write('default/reviews', 'short')
  write('default/details', secret('c'))
  write('other/details', secret('c'))
  write('NotAName/details', secret('d'))
  write('default/..data/x', secret('e'))
  const files = new TokenFiles(folder, 'cluster.local', clock, log)
  for (const token of ['short', secret('c'), secret('d'), secret('e'), '']) {
    expect(await files.identify(token)).toBeUndefined()
  }
  expect(told.length).toBe(3)
})

// === Kubernetes' ===

let privateKey: CryptoKey
let publicPem: string
let tokens: ServiceAccountTokens

beforeAll(async () => {
  const pair = await generateKeyPair('RS256', { extractable: true })
  privateKey = pair.privateKey
  publicPem = await exportSPKI(pair.publicKey)
  const keys: JSONWebKeySet = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'RS256' }] }
  const issuer = 'https://kubernetes.default.svc'
  tokens = new ServiceAccountTokens({ keys, issuer, audiences: ['istio-ca'], trustDomain: 'cluster.local', clock })
})

interface Changes {
  readonly sub?: string
  readonly aud?: string
  readonly iss?: string
  readonly exp?: number
  readonly nbf?: number
  readonly kid?: string
  readonly claims?: Record<string, unknown>
}

function token(changes: Changes = {}, key: CryptoKey = privateKey): Promise<string> {
  const nowSeconds = clock.wallMs() / 1000
  const jwt = new SignJWT(
    changes.claims ?? { 'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'reviews' } } },
  )
    .setProtectedHeader({ alg: 'RS256', kid: changes.kid ?? 'one' })
    .setSubject(changes.sub ?? 'system:serviceaccount:default:reviews')
    .setAudience(changes.aud ?? 'istio-ca')
    .setIssuer(changes.iss ?? 'https://kubernetes.default.svc')
    .setExpirationTime(changes.exp ?? nowSeconds + 600)
  if (changes.nbf !== undefined) jwt.setNotBefore(changes.nbf)
  return jwt.sign(key)
}

test('a token of a service account is that account’s', async () => {
  expect(await tokens.identify(await token())).toEqual(REVIEWS)
  expect(await identifyCaller([new TokenFiles(folder, 'cluster.local', clock, log), tokens], await token())).toEqual(
    REVIEWS,
  )
  expect(await tokens.identify('no JWT')).toBeUndefined()
})

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

test.each<[string, () => Promise<string>, string]>([
  ['of another audience', () => token({ aud: 'https://kubernetes.default.svc' }), 'aud'],
  ['of another issuer', () => token({ iss: 'https://elsewhere' }), 'iss'],
  ['that has expired', () => token({ exp: clock.wallMs() / 1000 - 60 }), 'expired'],
  ['that is not valid yet', () => token({ nbf: clock.wallMs() / 1000 + 600 }), 'nbf'],
  ['of a key that is not known', () => token({ kid: 'two' }), 'key that is not known'],
  ['of a user', () => token({ sub: 'admin' }), 'no service account'],
  ['of a name that would be two', () => token({ sub: 'system:serviceaccount:default:a/../b' }), 'no service account'],
  ['whose claims differ', () => token({ claims: { 'kubernetes.io': { namespace: 'kube-system' } } }), 'differ'],
  ['signed by a stranger', async () => token({}, (await generateKeyPair('RS256')).privateKey), 'signature'],
  ['whose payload was changed', tampered, 'signature'],
  ['of algorithm none', async () => `${part({ alg: 'none' })}.${(await token()).split('.')[1]}.`, ''],
  ['signed by the public key as a secret', confused, ''],
])('a token %s is refused', async (_what, make, reason) => {
  const text = await make()
  await expect(tokens.identify(text)).rejects.toThrow(/^TOKEN_REFUSED/)
  await expect(tokens.identify(text)).rejects.toThrow(reason)
})

async function tampered(): Promise<string> {
  const [header, payload, signature] = (await token()).split('.')
  const claims = JSON.parse(Buffer.from(payload as string, 'base64url').toString())
  return `${header}.${part({ ...claims, sub: 'system:serviceaccount:default:ratings' })}.${signature}`
}

/** RS/HS confusion: a checker that goes by the header would take the public key for a secret. */
async function confused(): Promise<string> {
  const [, payload] = (await token()).split('.')
  const signed = `${part({ alg: 'HS256', kid: 'one' })}.${payload}`
  return `${signed}.${createHmac('sha256', publicPem).update(signed).digest('base64url')}`
}
