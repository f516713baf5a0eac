import { readFileSync, writeFileSync } from 'node:fs'
import { credentials, status } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { MemorySource } from '../../../config/sources/memory.ts'
import { silentLogger } from '../../../lib/log.ts'
import { Pilot } from '../../../pilot/pilot.ts'
import { Agent, type AgentOptions } from '../../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../../proxy/agent/bootstrap.ts'
import { type AdsCall, askAds } from '../../support/ads-call.ts'
import { TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { bootstrapText, identityOf, type PilotTls, type Workload } from '../../support/mesh.ts'
import { MeshAuthority } from '../../support/mesh-authority.ts'

/** The pilot serves configuration over TLS to who proves who it is, and only its own; our proxy is such a one. */

const authority = new MeshAuthority(['default/reviews', 'default/ratings', 'bank/teller'])
const otherCa = new TestCa('another mesh')
const source = new MemorySource({})
const agents: Agent[] = []
let pilot: Pilot

const reviews: Workload = { type: 'sidecar', name: 'reviews-1', ip: '10.1.0.1', labels: { app: 'reviews' } }

beforeAll(async () => {
  pilot = new Pilot({
    source,
    xdsAddress: '127.0.0.1:0',
    httpAddress: '127.0.0.1:0',
    log: silentLogger,
    ca: authority.options,
  })
  await pilot.start()
})

afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop(0)
})

afterAll(async () => {
  await pilot.close()
  source.close()
  authority.remove()
  otherCa.remove()
})

const bearer = (account: string) => [`Bearer ${authority.token(account)}`]
const overTls = () => credentials.createSsl(readFileSync(authority.rootFile))

function ask(call: Partial<AdsCall>) {
  return askAds({ port: pilot.caPort, channel: overTls(), node: identityOf(reviews), ...call })
}

test('a caller with a token is served what is its own', async () => {
  const { resources } = await ask({ authorization: bearer('default/reviews') })
  expect(resources.map(({ name }) => name)).toContain('PassthroughCluster')
})

const as = (namespace: string, account?: string) => {
  const { id, metadata } = identityOf({ ...reviews, namespace })
  return { id, metadata: { ...metadata, ...(account !== undefined && { SERVICE_ACCOUNT: account }) } }
}

test.each<[string, () => Partial<AdsCall>, status, string]>([
  ['no token', () => ({}), status.UNAUTHENTICATED, 'bearer'],
  ['a token of nobody', () => ({ authorization: [`Bearer ${'x'.repeat(40)}`] }), status.UNAUTHENTICATED, 'nobody'],
  ['a token of another namespace', () => ({ authorization: bearer('bank/teller') }), status.PERMISSION_DENIED, 'bank'],
  [
    'a token of another account than the node names',
    () => ({ authorization: bearer('default/ratings'), node: as('default', 'reviews') }),
    status.PERMISSION_DENIED,
    'SERVICE_ACCOUNT',
  ],
  [
    "another's node",
    () => ({ authorization: bearer('default/reviews'), node: as('bank') }),
    status.PERMISSION_DENIED,
    'bank',
  ],
  ['plain text', () => ({ channel: credentials.createInsecure() }), status.UNAVAILABLE, ''],
])('%s is refused', async (_what, call, code, reason) => {
  const error = await ask(call()).then(
    () => undefined,
    (thrown: unknown) => thrown as { code: number; details: string },
  )
  expect(error?.code).toBe(code)
  expect(error?.details).toContain(reason)
})

test('on the plain port nobody is asked', async () => {
  const answered = await ask({ port: pilot.xdsPort, channel: credentials.createInsecure(), node: as('bank') })
  expect(answered.resources.length).toBeGreaterThan(0)
})

test('a certificate of the mesh is as good as a token, and one of another authority is none', async () => {
  const { certFile, keyFile } = await authority.certificate('default/reviews', pilot.caPort)
  const shown = (cert: string, key: string) =>
    credentials.createSsl(readFileSync(authority.rootFile), readFileSync(key), readFileSync(cert))
  expect((await ask({ channel: shown(certFile, keyFile) })).resources.length).toBeGreaterThan(0)
  await expect(ask({ channel: shown(certFile, keyFile), node: as('bank') })).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
  })
  // A token that is wrong is not made good by a certificate that is right.
  await expect(
    ask({ channel: shown(certFile, keyFile), authorization: [`Bearer ${'x'.repeat(40)}`] }),
  ).rejects.toMatchObject({ code: status.UNAUTHENTICATED })
  const forged = otherCa.issue('reviews', { altNames: ['URI:spiffe://cluster.local/ns/default/sa/reviews'] })
  await expect(ask({ channel: shown(forged.certFile, forged.keyFile) })).rejects.toMatchObject({
    code: status.UNAUTHENTICATED,
  })
})

async function proxy(tls: Partial<PilotTls>, options: AgentOptions = {}): Promise<Agent> {
  const text = bootstrapText(reviews, pilot.caPort, { rootFile: authority.rootFile, ...tls })
  const agent = new Agent(parseBootstrap(text, 'test.json'), 'test.json', { log: silentLogger, ...options })
  agents.push(agent)
  await agent.start()
  return agent
}

test.each<[string, () => Promise<Agent>]>([
  ['by a token file', () => proxy({}, { tokenFile: authority.tokenFile('default/reviews') })],
  ['by metadata of the bootstrap', () => proxy({ token: authority.token('default/reviews') })],
  [
    'by a certificate',
    async () => proxy({ certificate: await authority.certificate('default/reviews', pilot.caPort) }),
  ],
])('our proxy proves who it is %s', async (_how, start) => {
  const agent = await start()
  await eventually(() => expect(agent.isReady).toBe(true))
  expect(agent.xds?.isConnected).toBe(true)
})

test('a token file is read anew for each stream', async () => {
  const tokenFile = authority.file('rotating-token')
  writeFileSync(tokenFile, authority.token('bank/teller'))
  const agent = await proxy({}, { tokenFile })
  await eventually(() => expect(agent.xds?.lastError).toContain('PERMISSION_DENIED'))
  expect(agent.isReady).toBe(false)
  writeFileSync(tokenFile, authority.token('default/reviews'))
  await eventually(() => expect(agent.isReady).toBe(true))
})

test('a token file that is not there is waited for', async () => {
  const tokenFile = authority.file('late-token')
  const agent = await proxy({}, { tokenFile })
  await eventually(() => expect(agent.xds?.lastError).toContain('late-token'))
  writeFileSync(tokenFile, authority.token('default/reviews'))
  await eventually(() => expect(agent.isReady).toBe(true))
})

test('a pilot that leads to another root is told nothing', async () => {
  const agent = await proxy({ rootFile: otherCa.certFile }, { tokenFile: authority.tokenFile('default/reviews') })
  await eventually(() => expect(agent.xds?.lastError).toMatch(/certificate|UNAVAILABLE/))
  expect(agent.isReady).toBe(false)
})
