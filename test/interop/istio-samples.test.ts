import { readdirSync, readFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { parseAllDocuments } from 'yaml'
import { MemorySource } from '../../config/sources/memory.ts'
import { env } from '../../lib/env.ts'
import { EchoServer } from '../support/echo-server.ts'
import { eventually } from '../support/eventually.ts'
import { HttpLoad } from '../support/http-load.ts'
import { canConnect, loopbackBlock, Mesh, type Workload } from '../support/mesh.ts'

/**
 * Bookinfo's and tcp-echo's rules do on real connections what they say. LATEEN_ISTIO_SAMPLES names a folder with
 * Istio's own samples (`bookinfo/`, `tcp-echo/`), to run those files in place of ours.
 */
const samples = env('LATEEN_ISTIO_SAMPLES') || join(dirname(fileURLToPath(import.meta.url)), 'samples')
const block = loopbackBlock()
const CLIENT = `${block}.10`
const GATEWAY = `${block}.11`

/** A bound that a right split passes but once in some 150,000 runs. */
const SIGMAS = 4.5

function sample(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name.replace('/', '-'), readFileSync(join(samples, name), 'utf8')]))
}

function pod(app: string, version: string, ip: string): string {
  return `apiVersion: v1
kind: Pod
metadata: { name: ${app}-${version}, labels: { app: ${app}, version: ${version} } }
status: { podIP: ${ip} }
`
}

/** Where a proxy without interception takes calls: plain listeners, instead of a captured connection. */
const SIDECAR = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: client }
spec:
  workloadSelector: { labels: { app: client } }
  egress:
  - port: { number: 9080, protocol: HTTP, name: http }
    bind: ${CLIENT}
    captureMode: NONE
    hosts: ["./*"]
`

const client: Workload = { type: 'sidecar', name: 'client', ip: CLIENT, labels: { app: 'client' } }
const gateway: Workload = { type: 'router', name: 'gateway', ip: GATEWAY, labels: { istio: 'ingressgateway' } }

let mesh: Mesh | undefined
let source: MemorySource | undefined
const servers: (Server | EchoServer)[] = []

afterEach(async () => {
  await mesh?.stop()
  source?.close()
  for (const server of servers.splice(0)) server.close()
})

async function startMesh(files: Record<string, string>): Promise<Mesh> {
  source = new MemorySource(files)
  mesh = new Mesh(source)
  await mesh.start()
  return mesh
}

describe.each(['bookinfo', 'tcp-echo'])('the files of %s', (folder) => {
  const names = readdirSync(join(samples, folder)).filter((name) => name.endsWith('.yaml'))

  test.each(names)('%s loads unchanged, with no error', (name) => {
    const loaded = new MemorySource(sample(`${folder}/${name}`))
    expect(loaded.current().findings.filter((finding) => finding.severity === 'error')).toEqual([])
    const documents = parseAllDocuments(readFileSync(join(samples, folder, name), 'utf8'))
    // A ServiceAccount says nothing that routing needs.
    const kinds = documents.map((document) => document.get('kind')).filter((kind) => kind !== 'ServiceAccount')
    expect(loaded.current().objects.map((object) => object.kind)).toEqual(kinds)
    loaded.close()
  })
})

describe('Bookinfo', () => {
  const ADDRESSES = {
    reviews: { v1: `${block}.21`, v2: `${block}.22`, v3: `${block}.23` },
    ratings: { v1: `${block}.31` },
  }

  async function bookinfo(...rules: string[]): Promise<HttpLoad> {
    const pods = Object.entries(ADDRESSES).flatMap(([app, versions]) =>
      Object.entries(versions).map(([version, ip]) => pod(app, version, ip)),
    )
    const started = await startMesh({
      'pods.yaml': [...pods, pod('client', 'v1', CLIENT), SIDECAR].join('---\n'),
      ...sample('bookinfo/bookinfo.yaml', 'bookinfo/destination-rule-all.yaml', ...rules),
    })
    for (const [app, versions] of Object.entries(ADDRESSES)) {
      for (const [version, ip] of Object.entries(versions)) {
        const server = new EchoServer(`${app}-${version}`)
        servers.push(server)
        await server.listen(9080, ip)
      }
    }
    await started.addProxy(client)
    await eventually(() => canConnect(CLIENT, 9080))
    return new HttpLoad(CLIENT, 9080)
  }

  test('the 90/10 rule gives v2 a tenth of 5,000 requests', async () => {
    const load = await bookinfo('bookinfo/virtual-service-reviews-90-10.yaml')
    const counts = await load.run(5_000, () => ({ host: 'reviews:9080', path: '/reviews/0' }))
    load.close()
    expect(counts.errors).toEqual([])
    expect(Object.keys(counts.byServer).sort()).toEqual(['reviews-v1', 'reviews-v2'])
    expect(Math.abs((counts.byServer['reviews-v2'] ?? 0) - 500)).toBeLessThan(SIGMAS * Math.sqrt(5_000 * 0.1 * 0.9))
  }, 60_000)

  test('the rule for test users sends exactly those that it names', async () => {
    const load = await bookinfo('bookinfo/virtual-service-reviews-test-v2.yaml')
    const users = ['jason', 'Jason', 'jason2', ' jaso n', 'json', '', undefined]
    for (const user of users) {
      const headers: Record<string, string> = user === undefined ? {} : { 'end-user': user }
      const counts = await load.run(100, () => ({ host: 'reviews', path: '/reviews/0', headers }))
      expect({ user, ...counts }).toEqual({
        user,
        errors: [],
        byServer: { [user === 'jason' ? 'reviews-v2' : 'reviews-v1']: 100 },
      })
    }
    load.close()
  }, 60_000)

  test('the abort meets the test user and nobody else', async () => {
    const load = await bookinfo('bookinfo/virtual-service-ratings-test-abort.yaml')
    const asked = (user: string) => load.run(50, () => ({ host: 'ratings', path: '/0', headers: { 'end-user': user } }))
    const { errors } = await asked('jason')
    expect(errors).toHaveLength(50)
    expect(new Set(errors)).toEqual(new Set(['status 500 fault filter abort']))
    expect(await asked('someone')).toEqual({ errors: [], byServer: { 'ratings-v1': 50 } })
    load.close()
  }, 60_000)
})

describe('tcp-echo', () => {
  const ADDRESSES = { v1: `${block}.41`, v2: `${block}.42` }

  beforeAll(() => {
    expect(readdirSync(join(samples, 'tcp-echo'))).toContain('tcp-echo-20-v2.yaml')
  })

  /** Istio's gateway listens on every address; a test has one of its own. */
  function onOwnAddress(files: Record<string, string>): Record<string, string> {
    const bound = Object.entries(files).map(([name, text]) => {
      const documents = parseAllDocuments(text)
      for (const document of documents) {
        if (document.get('kind') === 'Gateway') document.setIn(['spec', 'servers', 0, 'bind'], GATEWAY)
      }
      return [name, documents.map(String).join('---\n')]
    })
    return Object.fromEntries(bound) as Record<string, string>
  }

  async function tcpEcho(weights: 'all-v1' | '20-v2'): Promise<void> {
    const files = onOwnAddress(sample('tcp-echo/tcp-echo-services.yaml', 'tcp-echo/tcp-echo-all-v1.yaml'))
    for (const [version, ip] of Object.entries(ADDRESSES)) {
      const server = createServer((socket) => {
        socket.on('error', () => {})
        socket.on('data', (chunk) => socket.write(`${version} ${chunk}`))
        socket.on('end', () => socket.end())
      })
      servers.push(server)
      await new Promise<void>((resolve) => server.listen(9000, ip, resolve))
    }
    const pods = Object.entries(ADDRESSES).map(([version, ip]) => pod('tcp-echo', version, ip))
    const started = await startMesh({ 'pods.yaml': pods.join('---\n'), ...files })
    await started.addProxy(gateway)
    await eventually(() => canConnect(GATEWAY, 31_400))
    if (weights === 'all-v1') return
    // What `kubectl apply` does: the object of the same name is replaced, the others stay.
    const name = 'tcp-echo-tcp-echo-all-v1.yaml'
    const others = parseAllDocuments(files[name] as string).filter((one) => one.get('kind') !== 'VirtualService')
    const [changed] = Object.values(sample('tcp-echo/tcp-echo-20-v2.yaml'))
    source?.set(name, [...others.map(String), changed as string].join('---\n'))
    await eventually(async () => expect(await answersOf(50)).toHaveProperty('v2'))
  }

  async function answersOf(count: number): Promise<Record<string, number>> {
    const answers: Record<string, number> = {}
    for (let i = 0; i < count; i += 20) {
      const batch = await Promise.all(Array.from({ length: Math.min(20, count - i) }, () => say('hello')))
      for (const answer of batch) answers[answer] = (answers[answer] ?? 0) + 1
    }
    return Object.fromEntries(Object.entries(answers).map(([answer, n]) => [answer.split(' ')[0] as string, n]))
  }

  function say(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let answer = ''
      const socket = connect(31_400, GATEWAY, () => socket.end(text))
      socket.on('data', (chunk) => {
        answer += chunk
      })
      socket.on('error', reject)
      socket.on('close', () => resolve(answer))
    })
  }

  test('all connections go to v1', async () => {
    await tcpEcho('all-v1')
    expect(await say('world')).toBe('v1 world')
    expect(await answersOf(200)).toEqual({ v1: 200 })
  }, 60_000)

  test('a fifth of 2,000 connections goes to v2', async () => {
    await tcpEcho('20-v2')
    const answers = await answersOf(2_000)
    expect((answers.v1 ?? 0) + (answers.v2 ?? 0)).toBe(2_000)
    expect(Math.abs((answers.v2 ?? 0) - 400)).toBeLessThan(SIGMAS * Math.sqrt(2_000 * 0.2 * 0.8))
  }, 60_000)
})
