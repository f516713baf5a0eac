import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { silentLogger } from '../../lib/log.ts'
import { Agent } from '../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../proxy/agent/bootstrap.ts'
import { peerOrSkip } from '../peers/peers.ts'
import { TestCa } from '../support/certificates.ts'
import { EnvoyProcess } from '../support/envoy-process.ts'
import { eventually } from '../support/eventually.ts'
import { loopbackBlock } from '../support/mesh.ts'
import { certificateSecret } from '../support/secrets.ts'
import { certificate, cluster, downstreamTls, forwardChain } from '../support/static-resources.ts'

/** What the admin pages of real Envoy and of our proxy say of the same certificates. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const block = loopbackBlock()
const ADMIN = 15000

const ca = new TestCa('mesh')
const names = ['DNS:a.example', 'URI:spiffe://mesh/ns/a/sa/b', 'IP:127.0.0.1', 'email:a@b.example']
const leaf = ca.issue('a.example', { altNames: names })
const named = ca.issue('b.example')
const dir = mkdtempSync(join(tmpdir(), 'lateen-certs-'))
let agent: Agent
let running: EnvoyProcess | undefined

beforeAll(async () => {
  agent = new Agent(parseBootstrap(bootstrap(`${block}.12`), 'own'), 'own', { log: silentLogger })
  await agent.start()
  if (envoy === undefined) return
  writeFileSync(join(dir, 'envoy.json'), bootstrap(`${block}.11`))
  running = new EnvoyProcess(envoy, join(dir, 'envoy.json'))
  await eventually(() => certsOf(`${block}.11`), 30_000)
}, 60_000)

afterAll(async () => {
  await agent.stop(0)
  await running?.stop()
  ca.remove()
  rmSync(dir, { recursive: true, force: true })
})

async function certsOf(address: string): Promise<unknown> {
  return (await fetch(`http://${address}:${ADMIN}/certs`)).json()
}

withEnvoy('the same of certificates in files, inline and in secrets', async () => {
  const sorted = (certificates: unknown[] | undefined) => certificates?.map((one) => JSON.stringify(one)).sort()
  // A day may end between the two questions.
  await eventually(async () => {
    const [theirs, ours] = [await certsOf(`${block}.11`), await certsOf(`${block}.12`)] as Record<string, unknown[]>[]
    expect(theirs?.certificates).toHaveLength(2)
    expect(sorted(ours?.certificates)).toEqual(sorted(theirs?.certificates))
  })
})

withEnvoy(
  'the same days until the first of them ends',
  async () => {
    // Envoy reckons it when it flushes what it counts.
    await eventually(async () => {
      const days = async (address: string) =>
        (await fetch(`http://${address}:${ADMIN}/stats?filter=days_until_first_cert_expiring`)).text()
      const theirs = await days(`${block}.11`)
      expect(theirs).toMatch(/^server\.days_until_first_cert_expiring: [1-9]\d{0,5}\n$/)
      expect(await days(`${block}.12`)).toBe(theirs)
    }, 20_000)
  },
  30_000,
)

function bootstrap(address: string): string {
  const at = (port_value: number) => ({ socket_address: { address, port_value } })
  const listener = (name: string, port: number, common: object) => {
    const chain = forwardChain('up', { transport_socket: downstreamTls(common) })
    return { name, address: at(port), filter_chains: [chain] }
  }
  return JSON.stringify({
    node: { id: 'a', cluster: 'b' },
    admin: { address: at(ADMIN) },
    static_resources: {
      secrets: [{ name: 'own', ...certificateSecret(named) }],
      listeners: [
        listener('files', 9443, {
          tls_certificates: [certificate(leaf)],
          validation_context: { trusted_ca: { filename: ca.certFile } },
        }),
        listener('secret', 9444, {
          tls_certificate_sds_secret_configs: [{ name: 'own' }],
          validation_context: { trusted_ca: { inline_string: ca.cert } },
        }),
      ],
      clusters: [cluster('up', [1])],
    },
  })
}
