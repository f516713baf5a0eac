import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { BookinfoMesh, ROUTE_FILE } from '../../cli/demo/bookinfo-mesh.ts'
import { hostPort } from '../../cli/demo/layout.ts'
import { SampleFiles } from '../../cli/demo/sample-files.ts'
import { peerOrSkip } from '../peers/peers.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { ZipkinProcess, type ZipkinSpan } from '../support/zipkin-process.ts'
import { builtCli } from './built.ts'

/** The traces of Bookinfo, whose services know nothing of traces, in a real Zipkin. */

const java = peerOrSkip('java')
const jar = peerOrSkip('zipkin.jar')
const withZipkin = java === undefined || jar === undefined ? test.skip : test

const REVIEWS = '/api/v1/products/0/reviews'
/** A proxy's each: client and server between each two of the four. */
const SPANS = 6
const IN_MESH_MS = 120_000

/** Bookinfo whose services start without the preload. */
class WithoutPreload extends SampleFiles {
  override readonly preload = 'data:text/javascript,'
}

let zipkin: ZipkinProcess
let mesh: BookinfoMesh | undefined

beforeAll(async () => {
  builtCli()
  if (java === undefined || jar === undefined) return
  zipkin = new ZipkinProcess(java, jar, await freePort())
  await zipkin.ready()
}, 240_000)

afterEach(() => mesh?.stop(), 30_000)

afterAll(() => zipkin?.stop())

/** Everyone on v2 of reviews, which asks ratings; resolves when reviews have stars. */
async function bookinfo(Samples: typeof SampleFiles): Promise<BookinfoMesh> {
  const cli = builtCli()
  const samples = new Samples(cli)
  mesh = await BookinfoMesh.prepare(cli, samples, { host: '127.0.0.1', port: zipkin.port })
  await mesh.start()
  await mesh.deploy(mesh.layout.reviewsV2)
  await mesh.config.write(ROUTE_FILE, await samples.read('release/5-all-v2.yaml'))
  await eventually(async () => expect(await (await ask()).text()).toContain('"rating"'), 20_000)
  return mesh
}

async function ask(headers: Record<string, string> = {}): Promise<Response> {
  const response = await fetch(`http://${hostPort((mesh as BookinfoMesh).gateway)}${REVIEWS}`, { headers })
  expect(response.status).toBe(200)
  return response
}

/** Asks once; the traces of that, when they have as many spans as there are proxies on the way. */
async function tracesOfOneCall(): Promise<ZipkinSpan[][]> {
  // The services hand on who asks, so that every span has it, joined or not.
  const user = `asked-${randomBytes(8).toString('hex')}`
  await (await ask({ 'user-agent': user })).arrayBuffer()
  let found: ZipkinSpan[][] = []
  await eventually(async () => {
    const answer = await fetch(`http://127.0.0.1:${zipkin.port}/api/v2/traces?limit=1000&lookback=3600000`)
    const all = (await answer.json()) as ZipkinSpan[][]
    found = all.filter((spans) => spans.some(({ tags }) => tags.user_agent === user))
    expect(found.flat()).toHaveLength(SPANS)
  }, 30_000)
  return found
}

/** From a span on, what it caused: `[kind, service, caused...]`. A span whose parent is unknown is not in it. */
function tree(spans: readonly ZipkinSpan[], parent?: ZipkinSpan): unknown[] {
  return spans
    .filter(({ parentId }) => parentId === parent?.id)
    .map((span) => [`${span.kind} ${span.localEndpoint.serviceName}`, ...tree(spans, span)])
}

withZipkin(
  'a call through gateway, productpage, reviews and ratings is one trace, each span under the one that caused it',
  async () => {
    await bookinfo(SampleFiles)
    const found = await tracesOfOneCall()
    expect(found).toHaveLength(1)
    const spans = found[0] as ZipkinSpan[]
    const ratings = ['CLIENT reviews-v2.default', ['SERVER ratings-v1.default']]
    const reviews = ['CLIENT productpage-v1.default', ['SERVER reviews-v2.default', ratings]]
    const productpage = ['CLIENT istio-ingressgateway.default', ['SERVER productpage-v1.default', reviews]]
    expect(tree(spans)).toEqual([productpage])
    expect(new Set(spans.map(({ tags }) => tags['guid:x-request-id']))).toHaveProperty('size', 1)
    for (const { kind, localEndpoint, name, tags } of spans) {
      const [service, version] = (localEndpoint.serviceName.split('.')[0] as string).split('-')
      const istio = { 'istio.namespace': 'default', 'istio.mesh_id': 'cluster.local', 'istio.cluster_id': 'Kubernetes' }
      expect(tags).toMatchObject({ ...istio, component: 'proxy', 'http.status_code': '200', response_flags: '-' })
      if (service !== 'istio')
        expect(tags).toMatchObject({ 'istio.canonical_service': service, 'istio.canonical_revision': version })
      if (kind === 'SERVER') expect(tags.upstream_cluster).toBe('inbound|9080||')
      else expect(`${tags.upstream_cluster}:9080`).toContain(name.split('/')[0] as string)
    }
  },
  IN_MESH_MS,
)

withZipkin(
  'without the preload it falls apart where a service calls the next',
  async () => {
    await bookinfo(WithoutPreload)
    const found = await tracesOfOneCall()
    const pair = (client: string, server: string) => [[`CLIENT ${client}.default`, [`SERVER ${server}.default`]]]
    expect(found.map((spans) => tree(spans)).sort()).toEqual([
      pair('istio-ingressgateway', 'productpage-v1'),
      pair('productpage-v1', 'reviews-v2'),
      pair('reviews-v2', 'ratings-v1'),
    ])
  },
  IN_MESH_MS,
)
