import { createServer } from 'node:http'
import { type AddressInfo, connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Random, randomInt, seededRandom, systemRandom } from '../../../lib/random.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { type Issued, TestCa } from '../../support/certificates.ts'
import { IDENTITIES, type Identity, type RandomCall, randomCall, randomPolicy } from '../../support/random-policies.ts'
import { StaticPair } from '../static-pair.ts'
import { meshSecrets, type PolicedWorkload, PolicedWorkloads } from './workloads.ts'

/** Real Envoy and our proxy let the same callers in, whatever the policies: both have them from our pilot. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const random = seededRandom(seed)

const HTTP_WORKLOADS = 60
const CALLS = 20
const TCP_WORKLOADS = 15
const CONNECTIONS = 10
const FIRST_PORT = 21_000
const AT_ONCE = 20
const MAX_SHOWN = 3

const ca = new TestCa('root')
const certificates = new Map<Identity, Issued>(
  Object.entries(IDENTITIES).map(([name, altNames]) => [name as Identity, ca.issue(name, { altNames })]),
)
const server = ca.issue('server', { altNames: ['URI:spiffe://cluster.local/ns/a/sa/server'] })
const mesh = new PolicedWorkloads(
  Array.from({ length: HTTP_WORKLOADS + TCP_WORKLOADS }, (_, i) => randomWorkload(random, i)),
  { trustDomainAliases: ['old-td'] },
)
const pair = new StaticPair()
// A connection that it closed under a request of real Envoy's would be a difference.
const upstream = createServer({ keepAliveTimeout: 0 }, (_request, response) => response.end('passed'))

beforeAll(async () => {
  if (envoy === undefined) return
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const clusters = mesh.clusters((upstream.address() as AddressInfo).port)
  const ports = mesh.workloads.map(({ port }) => port)
  await pair.start(envoy, ports, (address) => mesh.listeners(address), clusters, meshSecrets(server, ca.certFile))
}, 120_000)

afterAll(async () => {
  upstream.closeAllConnections()
  upstream.close()
  await pair.stop()
  mesh.close()
  ca.remove()
}, 20_000)

withEnvoy(
  `real Envoy and our proxy agree on ${HTTP_WORKLOADS * CALLS} pairs of policies and calls (seed ${seed})`,
  async () => {
    const pairs = pairsOf('HTTP', CALLS)
    const verdicts = await compare(pairs)
    // Else the draw says little.
    for (const verdict of ['passed', 'denied']) {
      expect(verdicts.filter((one) => one === verdict).length).toBeGreaterThan(pairs.length / 10)
    }
  },
  120_000,
)

withEnvoy(
  `and on ${TCP_WORKLOADS * CONNECTIONS} pairs of policies and connections of bytes (seed ${seed})`,
  async () => {
    const verdicts = await compare(pairsOf('TCP', CONNECTIONS))
    expect(new Set(verdicts)).toEqual(new Set(['passed', 'closed']))
  },
  60_000,
)

function randomWorkload(random: Random, i: number): PolicedWorkload {
  const port = FIRST_PORT + i
  const draw = { port, otherPort: FIRST_PORT + HTTP_WORKLOADS + TCP_WORKLOADS }
  const policies = Array.from({ length: 1 + randomInt(random, 3) }, () => randomPolicy(random, draw))
  return { name: `w${i}`, port, protocol: i < HTTP_WORKLOADS ? 'HTTP' : 'TCP', policies }
}

interface Pair {
  readonly workload: PolicedWorkload
  readonly call: RandomCall
}

function pairsOf(protocol: PolicedWorkload['protocol'], calls: number): Pair[] {
  const workloads = mesh.workloads.filter((workload) => workload.protocol === protocol)
  return workloads.flatMap((workload) => Array.from({ length: calls }, () => ({ workload, call: randomCall(random) })))
}

async function compare(pairs: readonly Pair[]): Promise<string[]> {
  const verdicts: string[] = []
  const differences: object[] = []
  for (let at = 0; at < pairs.length; at += AT_ONCE) {
    const some = pairs.slice(at, at + AT_ONCE).map(async ({ workload, call }) => {
      const [theirs, ours] = await Promise.all([
        ask(pair.hosts.envoy, workload.port, call),
        ask(pair.hosts.lateen, workload.port, call),
      ])
      if (ours !== theirs) differences.push({ call, policies: workload.policies, ours, theirs })
      return ours
    })
    verdicts.push(...(await Promise.all(some)))
  }
  expect({ seed, differences: differences.slice(0, MAX_SHOWN) }).toEqual({ seed, differences: [] })
  return verdicts
}

/** What becomes of a call: `passed`, `denied` by a rule, `closed` without an answer, or its answer as it is. */
function ask(host: string, port: number, call: RandomCall): Promise<string> {
  const { method, path, headers } = call
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${call.host}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ]
  if (method === 'POST' || method === 'PUT') lines.push('Content-Length: 0')
  const request = `${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = open(host, port, call, () => socket.write(request))
    socket.setTimeout(20_000, () => socket.destroy(new Error(`no answer from ${host}:${port}`)))
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      // Envoy keeps a connection a second longer, for the client to read what it was told.
      if (isWhole(text, method)) socket.destroy()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') resolve(verdictOf(text))
      else reject(error)
    })
    socket.on('close', () => resolve(verdictOf(text)))
  })
}

function isWhole(text: string, method: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0 || method === 'HEAD') return end >= 0
  const length = /content-length: (\d+)/i.exec(text.slice(0, end))?.[1]
  return length === undefined ? text.endsWith('0\r\n\r\n') : text.length >= end + 4 + Number(length)
}

function verdictOf(text: string): string {
  if (text === '') return 'closed'
  if (text.startsWith('HTTP/1.1 200')) return 'passed'
  // An answer to HEAD has no body.
  const isDenied =
    text.startsWith('HTTP/1.1 403') && (text.includes('RBAC: access denied') || text.endsWith('\r\n\r\n'))
  return isDenied ? 'denied' : text
}

function open(host: string, port: number, { identity, sni }: RandomCall, onOpen: () => void): Socket {
  if (identity === undefined) return connectPlain({ host, port }, onOpen)
  const { cert, key } = certificates.get(identity) as Issued
  const ALPNProtocols = ['istio-http/1.1', 'istio', 'http/1.1']
  const servername = sni === '' ? {} : { servername: sni }
  return connectTls({ host, port, cert, key, rejectUnauthorized: false, ALPNProtocols, ...servername }, onOpen)
}
