import { readFileSync } from 'node:fs'
import { fromBinary } from '@bufbuild/protobuf'
import { credentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { TYPE_URL } from '../../../api/type-urls.ts'
import { MemorySource } from '../../../config/sources/memory.ts'
import { type Logger, silentLogger } from '../../../lib/log.ts'
import { Pilot } from '../../../pilot/pilot.ts'
import { type AdsCall, askAds } from '../../support/ads-call.ts'
import { TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { identityOf, type Workload } from '../../support/mesh.ts'
import { MeshAuthority } from '../../support/mesh-authority.ts'
import { secretYaml } from '../../support/secret-yaml.ts'

/** Secrets go to proven callers of their own namespace, and nowhere else: no other stream, no log, no page. */

const authority = new MeshAuthority(['default/reviews', 'bank/teller'])
const ca = new TestCa('a root')
const shop = ca.issue('shop.example')
const vault = ca.issue('vault.example')
const logged: string[] = []
const keep: Logger['warning'] = (message, fields) => logged.push(`${message} ${JSON.stringify(fields)}`)
const source = new MemorySource({
  'shop.yaml': secretYaml('shop', { 'tls.crt': shop.cert, 'tls.key': shop.key }),
  'vault.yaml': secretYaml('vault', { 'tls.crt': vault.cert, 'tls.key': vault.key }, 'bank'),
  // Refused, and said so: not by what is in it.
  'broken.yaml': `apiVersion: v1\nkind: Secret\nmetadata: {name: broken}\ndata: {tls.key: "${marked(vault.key)}"}\n`,
})
let pilot: Pilot

/** No base64 any more, and easy to find. */
function marked(pem: string): string {
  return `!${pem.split('\n')[1]}`
}

beforeAll(async () => {
  const log: Logger = { ...silentLogger, debug: keep, info: keep, warning: keep, error: keep }
  pilot = new Pilot({ source, xdsAddress: '127.0.0.1:0', httpAddress: '127.0.0.1:0', log, ca: authority.options })
  await pilot.start()
})

afterAll(async () => {
  await pilot.close()
  source.close()
  authority.remove()
  ca.remove()
})

const workload = (namespace: string): Workload => {
  return { type: 'router', name: 'edge-1', namespace, ip: '10.1.0.1', labels: { app: 'edge' } }
}

async function ask(name: string, account: string | undefined, more: Partial<AdsCall> = {}) {
  const [namespace = 'default'] = account?.split('/') ?? []
  const { resources, removedResources } = await askAds({
    port: account === undefined ? pilot.xdsPort : pilot.caPort,
    ...(account !== undefined && { channel: credentials.createSsl(readFileSync(authority.rootFile)) }),
    authorization: account === undefined ? [] : [`Bearer ${authority.token(account)}`],
    node: identityOf(workload(namespace)),
    type: TYPE_URL.secret,
    names: [name],
    ...more,
  })
  return { removedResources, secrets: resources.map(({ resource }) => fromBinary(SecretSchema, resource!.value)) }
}

test('a proven caller gets a Secret of its namespace', async () => {
  const { secrets } = await ask('kubernetes://shop', 'default/reviews')
  expect(secrets.map(({ name, type }) => [name, type.case])).toEqual([['kubernetes://shop', 'tlsCertificate']])
  expect((await ask('kubernetes://vault', 'bank/teller')).secrets.length).toBe(1)
})

test.each<[string, string, string | undefined, string]>([
  ['one of another namespace', 'kubernetes://vault', 'default/reviews', 'has no Secret vault'],
  ['one of another namespace, named so', 'kubernetes://bank/vault', 'default/reviews', 'own namespace only'],
  ['one on the plain port', 'kubernetes://shop', undefined, 'over TLS only'],
  ['one that is not valid', 'kubernetes://broken', 'default/reviews', 'has no Secret broken'],
])('%s is withheld, and a warning says why', async (_what, name, account, reason) => {
  logged.length = 0
  expect(await ask(name, account)).toEqual({ removedResources: [name], secrets: [] })
  await eventually(() => expect(logged.filter((line) => line.includes('"type":"SDS"')).length).toBe(1))
  expect(logged.join('\n')).toContain(reason)
})

test('nothing of a Secret is in what the pilot shows of itself', async () => {
  logged.length = 0
  source.set(
    'broken.yaml',
    `apiVersion: v1\nkind: Secret\nmetadata: {name: broken}\ndata: {tls.key: ["${marked(shop.key)}"]}\n`,
  )
  const paths = [
    '/debug/syncz',
    '/debug/findings',
    '/debug/config',
    '/metrics',
    `/debug/node?id=${identityOf(workload('default')).id}`,
  ]
  const pages = await Promise.all(
    paths.map(async (path) => (await fetch(`http://127.0.0.1:${pilot.http.port}${path}`)).text()),
  )
  const shown = [...pages, ...logged].join('\n')
  expect(shown).toContain('data[')
  for (const { key, cert } of [shop, vault]) {
    for (const line of [...key.split('\n'), ...cert.split('\n')].filter((one) => one.length > 40)) {
      expect(shown).not.toContain(line)
      expect(shown).not.toContain(Buffer.from(line).toString('base64').slice(0, 40))
    }
  }
  expect(shown).not.toContain(authority.token('default/reviews'))
})
