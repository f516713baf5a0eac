import { X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { back, rotate } from '../../../cli/certs/rotate.ts'
import { MemorySource } from '../../../config/sources/memory.ts'
import { silentLogger } from '../../../lib/log.ts'
import { readMaterial } from '../../../pilot/ca/material.ts'
import type { Agent } from '../../../proxy/agent/agent.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { HttpLoad, type LoadCounts } from '../../support/http-load.ts'
import { calling, IdentityMesh, member, meshMode, serving } from '../../support/identity-mesh.ts'
import { canConnect, loopbackBlock } from '../../support/mesh.ts'

/**
 * Certificates that are renewed every few seconds, an authority that is changed root and all, and one that is away: under load on kept
 * connections and on new ones, between proxies of ours and a real Envoy.
 */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

/** Renewed at about half of it. */
const LIFE_SECONDS = 10
const PORT = 9080
const block = loopbackBlock()
const CALLER = member('caller', `${block}.11`)
const ENVOY_CALLER = member('envoy-caller', `${block}.12`)
const KEPT = member('kept', `${block}.21`)
/** Each of its connections carries one request, so that there are handshakes all the time. */
const ANEW = member('anew', `${block}.22`)
const ENVOY_KEPT = member('envoy-kept', `${block}.23`)

let app: Server
let source: MemorySource
let mesh: IdentityMesh
const agents: Agent[] = []

beforeAll(async () => {
  app = createServer((_, response) => response.end('hello'))
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  const { port } = app.address() as AddressInfo
  const servers = [KEPT, ANEW, ENVOY_KEPT].map((one) => serving(one, PORT, port))
  const callers = [CALLER, ENVOY_CALLER].map((one) => calling(one, PORT))
  source = new MemorySource({
    'mesh.yaml': [...servers, ...callers].join(''),
    'anew.yaml': rule('anew', '{ connectionPool: { http: { maxRequestsPerConnection: 1 } } }'),
    'mode.yaml': meshMode('STRICT'),
  })
  expect(source.current().findings).toEqual([])
  mesh = new IdentityMesh(source, LIFE_SECONDS)
  await mesh.start()
  for (const one of [CALLER, KEPT, ANEW]) agents.push(await mesh.addProxy(one))
  for (const one of [ENVOY_CALLER, ENVOY_KEPT]) if (envoy !== undefined) await mesh.addEnvoy(envoy, one)
  const members = envoy === undefined ? [CALLER, KEPT, ANEW] : [CALLER, ENVOY_CALLER, KEPT, ANEW, ENVOY_KEPT]
  for (const { ip } of members) await eventually(() => canConnect(ip, PORT), 30_000)
}, 90_000)

afterAll(async () => {
  await mesh.stop()
  source.close()
  app.closeAllConnections()
  app.close()
}, 20_000)

function rule(host: string, trafficPolicy: string): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host} }
spec: { host: ${host}, trafficPolicy: ${trafficPolicy} }
`
}

/** Requests from each caller to each callee until `during` is over; gives what failed. */
async function underLoad(during: () => Promise<unknown>): Promise<{ errors: string[]; sent: number }> {
  let isOver = false
  const counts: LoadCounts = { byServer: {}, errors: [] }
  const loads = [
    [CALLER, KEPT],
    [CALLER, ANEW],
    ...(envoy === undefined
      ? []
      : ([
          [CALLER, ENVOY_KEPT],
          [ENVOY_CALLER, KEPT],
          [ENVOY_CALLER, ANEW],
        ] as const)),
  ] as const
  // The first request of each pair may find configuration on its way.
  for (const [from, to] of loads) {
    await eventually(async () => {
      const first: LoadCounts = { byServer: {}, errors: [] }
      await new HttpLoad(from.ip, PORT).one({ host: to.name, path: '/' }, first)
      expect(first.errors).toEqual([])
    }, 15_000)
  }
  const before = failures()
  let sent = 0
  const running = loads.map(async ([from, to]) => {
    const load = new HttpLoad(from.ip, PORT)
    while (!isOver) {
      await load.one({ host: to.name, path: '/' }, counts)
      sent++
    }
  })
  try {
    await during()
  } finally {
    isOver = true
    await Promise.all(running)
  }
  expect(failures()).toEqual(before)
  return { errors: counts.errors, sent }
}

const metricsOf = (agent: Agent, pattern: RegExp) => agent.planes.metrics.all().filter(({ name }) => pattern.test(name))
const sum = (pattern: RegExp) =>
  agents.flatMap((agent) => metricsOf(agent, pattern)).reduce((total, { value }) => total + value, 0)

/** Handshakes that came to nothing, and what was tried again for it. */
const failures = () => [sum(/ssl\.connection_error$/), sum(/ssl\.fail_verify/), sum(/upstream_rq_retry$/)]
const handshakes = () => sum(/^listener\.ssl\.handshake$/)
const storesOfAll = () => [...agents.map((agent) => agent.planes.metrics), ...mesh.agentMetrics]
const valueIn = (store: { all(): readonly { name: string; value: number }[] }, name: string) =>
  store.all().find((metric) => metric.name === name)?.value ?? 0
const renewals = () => storesOfAll().map((store) => valueIn(store, 'workload_identity.renewals'))
const issuer = () => readMaterial(mesh.file('ca'), silentLogger).certificate.fingerprint256
const options = () => ({
  caDir: mesh.file('ca'),
  pilot: [`127.0.0.1:${mesh.pilot.http.port}`],
  waitS: 30,
  trustDomain: 'cluster.local',
})

withEnvoy(
  'the authority is changed, root and all, while certificates are renewed every five seconds, and nothing fails',
  async () => {
    const [old, before, shook] = [issuer(), renewals(), handshakes()]
    const said: string[] = []
    const { errors, sent } = await underLoad(async () => {
      await eventually(() => expect(Math.min(...renewals())).toBeGreaterThan(Math.max(...before)), 20_000)
      await rotate(options(), (line) => said.push(line))
      // And once more after it.
      const after = renewals()
      await eventually(() => expect(renewals().every((count, i) => count > (after[i] as number))).toBe(true), 20_000)
    })
    expect(errors).toEqual([])
    expect(sent).toBeGreaterThan(1000)
    expect(handshakes() - shook).toBeGreaterThan(100)
    expect(issuer()).not.toBe(old)
    expect(said).toEqual([
      'proven: the pilots have taken over what is in the folder',
      '1 of 3: the new root is being spread; the old authority signs',
      'proven: every connected proxy has accepted the new root',
      '2 of 3: the new authority signs; the old root is still trusted',
      'proven: nobody has a certificate of the old authority',
      'proven: the pilots have taken over what is in the folder',
      '3 of 3: the old root is no longer trusted, and the old key is gone',
    ])
    const { roots, chain } = await mesh.certificateOf('kept')
    expect(new X509Certificate(roots).fingerprint256).toBe(issuer())
    expect(new X509Certificate(chain).verify(new X509Certificate(roots).publicKey)).toBe(true)
  },
  120_000,
)

test('a rotation goes no step further without its proof, and can go back', async () => {
  // Somebody who has no proxy has a certificate for an hour, and nobody can say that it is not in use.
  const lasting = new IdentityMesh(source, 3600)
  await lasting.start()
  try {
    await lasting.certificateOf('stranger')
    const steps = {
      caDir: lasting.file('ca'),
      pilot: [`127.0.0.1:${lasting.pilot.http.port}`],
      waitS: 3,
      trustDomain: 'cluster.local',
    }
    await expect(rotate(steps, () => {})).rejects.toThrow(
      /not proven in time: nobody has a certificate of the old authority.*\n.*sa\/stranger has a certificate of another/,
    )
    const said: string[] = []
    await back(steps, (line) => said.push(line))
    expect(said).toEqual(['the old authority signs again; both roots are trusted'])
    await back({ ...steps, waitS: 5 }, (line) => said.push(line))
    expect(said.at(-1)).toBe('the new root is gone')
  } finally {
    await lasting.stop()
  }
}, 60_000)

test('an authority that is away for three attempts, and comes back, is missed by nobody', async () => {
  const failed = () => storesOfAll().map((store) => valueIn(store, 'workload_identity.renewal_failures'))
  const before = failed()
  const { errors, sent } = await underLoad(async () => {
    await mesh.stopPilot()
    // Whoever is the first to need one.
    await eventually(
      () => expect(Math.max(...failed().map((count, i) => count - (before[i] as number)))).toBe(3),
      20_000,
    )
    await mesh.restartPilot()
    const after = renewals()
    await eventually(() => expect(renewals().every((count, i) => count > (after[i] as number))).toBe(true), 20_000)
  })
  expect(errors).toEqual([])
  expect(sent).toBeGreaterThan(1000)
}, 90_000)
