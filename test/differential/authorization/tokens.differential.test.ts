import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { systemClock } from '../../../lib/clock.ts'
import { type Random, randomInt, seededRandom, systemRandom } from '../../../lib/random.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { TestCa } from '../../support/certificates.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { StaticPair } from '../static-pair.ts'
import { randomTokenPolicy, randomTokenRules } from './token-policies.ts'
import { randomTokenRequest, type TokenRequest } from './token-requests.ts'
import { meshSecrets, type PolicedWorkload, PolicedWorkloads } from './workloads.ts'

/** Rules about tokens: real Envoy and our proxy answer alike, both under RequestAuthentications and policies from our pilot. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const random = seededRandom(seed)

const WORKLOADS = 50
const REQUESTS = 20
const FIRST_PORT = 23_200
const MAX_SHOWN = 5

const mesh = new PolicedWorkloads(Array.from({ length: WORKLOADS }, (_, i) => randomWorkload(random, i)))
const pair = new StaticPair()
const ca = new TestCa('root')
// A connection that it closed under a request of real Envoy's would be a difference.
const upstream = createServer({ keepAliveTimeout: 0 }, (_request, response) => response.end('passed'))

beforeAll(async () => {
  if (envoy === undefined) return
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const clusters = mesh.clusters((upstream.address() as AddressInfo).port)
  const ports = mesh.workloads.map(({ port }) => port)
  const secrets = meshSecrets(ca.issue('server'), ca.certFile)
  await pair.start(envoy, ports, (address) => mesh.listeners(address), clusters, secrets)
}, 120_000)

afterAll(async () => {
  upstream.closeAllConnections()
  upstream.close()
  await pair.stop()
  mesh.close()
  ca.remove()
}, 20_000)

function randomWorkload(random: Random, i: number): PolicedWorkload {
  const policies = Array.from({ length: 1 + randomInt(random, 2) }, () => randomTokenPolicy(random))
  return { name: `w${i}`, port: FIRST_PORT + i, protocol: 'HTTP', policies, tokens: randomTokenRules(random) }
}

async function answerOf(host: string, port: number, { method, path, headers }: TokenRequest): Promise<string> {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: h', 'Connection: close']
  for (const [name, value] of headers) lines.push(`${name}: ${value}`)
  const { status, body } = await sendRaw(host, port, `${lines.join('\r\n')}\r\n\r\n`)
  return `${status} ${body}`
}

withEnvoy(
  `real Envoy and our proxy agree on ${WORKLOADS * REQUESTS} pairs of rules and tokens (seed ${seed})`,
  async () => {
    const answers = new Map<string, number>()
    const differences: object[] = []
    const nowSeconds = Math.floor(systemClock.wallMs() / 1000)
    const ask = async ({ port, policies, tokens }: PolicedWorkload) => {
      const request = randomTokenRequest(random, nowSeconds)
      const [theirs, ours] = await Promise.all([
        answerOf(pair.hosts.envoy, port, request),
        answerOf(pair.hosts.lateen, port, request),
      ])
      answers.set(theirs, (answers.get(theirs) ?? 0) + 1)
      if (ours !== theirs) differences.push({ made: request.made, request, policies, tokens, ours, theirs })
    }
    for (let i = 0; i < REQUESTS; i++) await Promise.all(mesh.workloads.map(ask))
    expect({ seed, differences: differences.slice(0, MAX_SHOWN) }).toEqual({ seed, differences: [] })
    // Else the draw says little.
    for (const answer of [
      '200 passed',
      '403 RBAC: access denied',
      '401 Jwt is expired',
      '401 Jwt verification fails',
    ]) {
      expect(answers.get(answer) ?? 0).toBeGreaterThan(answer.startsWith('401') ? 3 : (WORKLOADS * REQUESTS) / 10)
    }
  },
  180_000,
)
