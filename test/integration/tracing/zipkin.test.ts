import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { cluster } from '../../support/static-resources.ts'
import { TracedApp, TracedSidecar, zipkinTracing } from '../../support/traced-sidecar.ts'
import { ZipkinProcess, type ZipkinSpan } from '../../support/zipkin-process.ts'

/**
 * A client, two applications with a proxy each, and a real Zipkin that must get one trace of it: our proxies and real Envoys
 * in every mixture.
 */

const envoy = peerOrSkip('envoy')
const java = peerOrSkip('java')
const jar = peerOrSkip('zipkin.jar')
const withZipkin = java === undefined || jar === undefined ? test.skip : test

let zipkin: ZipkinProcess | undefined
let stops: (() => unknown)[] = []

beforeAll(async () => {
  if (java === undefined || jar === undefined) return
  zipkin = new ZipkinProcess(java, jar, await freePort())
  await zipkin.ready()
}, 150_000)

afterAll(() => zipkin?.stop())

afterEach(async () => {
  for (const stop of stops) await stop()
  stops = []
})

async function chain(front: string | undefined, back: string | undefined, tracing: object) {
  const apps = [new TracedApp(), new TracedApp()] as const
  const [frontPort, backPort] = await Promise.all(apps.map((app) => app.listen()))
  const clusters = [cluster('zipkin', [zipkin?.port ?? 0])]
  const last = await TracedSidecar.start({ name: 'back', appPort: backPort as number, tracing, clusters }, back)
  const first = await TracedSidecar.start(
    { name: 'front', appPort: frontPort as number, nextPort: last.inPort, tracing, clusters },
    front,
  )
  apps[0].nextPort = first.outPort
  stops = [() => apps[0].close(), () => apps[1].close(), () => first.stop(), () => last.stop()]
  return { apps, port: first.inPort }
}

async function spansOf(traceId: string, count: number): Promise<ZipkinSpan[]> {
  let spans: ZipkinSpan[] = []
  await eventually(async () => {
    spans = (await zipkin?.trace(traceId)) ?? []
    if (spans.length < count) throw new Error(`${spans.length} spans of ${count}`)
  }, 20_000)
  return spans
}

const MIXTURES = [
  ['ours', 'ours'],
  ['ours', 'envoy'],
  ['envoy', 'ours'],
] as const
const FORMS = ['B3', 'B3 with W3C'] as const
const CASES = MIXTURES.flatMap(([front, back]) => FORMS.map((form) => [front, back, form] as const))

withZipkin.each(CASES)(
  '%s and %s, %s: one trace, servers under clients',
  async (front, back, form) => {
    if (envoy === undefined && (front === 'envoy' || back === 'envoy')) return
    const of = (kind: string) => (kind === 'envoy' ? envoy : undefined)
    const option = form === 'B3' ? 'USE_B3' : 'USE_B3_WITH_W3C_PROPAGATION'
    const { apps, port } = await chain(of(front), of(back), zipkinTracing({ trace_context_option: option }))
    const traceId = randomBytes(16).toString('hex')
    const caller = randomBytes(8).toString('hex')
    const headers: Record<string, string> =
      form === 'B3' ? { b3: `${traceId}-${caller}-1` } : { traceparent: `00-${traceId}-${caller}-01` }
    expect((await fetch(`http://127.0.0.1:${port}/x?y=1`, { headers })).status).toBe(200)
    const spans = await spansOf(traceId, 3)
    expect(spans).toHaveLength(3)
    const byParent = new Map(spans.map((span) => [span.parentId ?? '', span]))
    const ordered: ZipkinSpan[] = []
    for (let at = byParent.get(caller); at !== undefined; at = byParent.get(at.id)) ordered.push(at)
    expect(ordered.map(({ kind, name, localEndpoint }) => `${kind} ${name} ${localEndpoint.serviceName}`)).toEqual([
      'SERVER front:80/* front',
      'CLIENT next.test:80/* front',
      // What the calling proxy calls it goes before its own name for it.
      'SERVER next.test:80/* back',
    ])
    expect(ordered.map(({ tags }) => tags['http.status_code'])).toEqual(['200', '200', '200'])
    expect(apps[1].headers['x-envoy-decorator-operation']).toBeUndefined()
    // Envoy leaves x-b3-spanid as it came where the context came in b3.
    if (back === 'envoy') return
    expect(apps[1].headers['x-b3-spanid']).toBe(ordered[2]?.id)
    if (form === 'B3 with W3C') expect(apps[1].headers.traceparent).toBe(`00-${traceId}-${ordered[2]?.id}-01`)
    if (front === 'ours' && form === 'B3') {
      expect(apps[1].headers.b3).toBe(`${traceId}-${ordered[2]?.id}-1-${ordered[1]?.id}`)
    }
  },
  60_000,
)

withZipkin(
  'the tags of a span are those that real Envoy gives it',
  async () => {
    if (envoy === undefined) return
    const tagsBy: Record<string, object[]> = {}
    for (const kind of ['ours', 'envoy']) {
      const custom_tags = [
        { tag: 'fixed', literal: { value: 'wört' } },
        { tag: 'asked', request_header: { name: 'X-Asked' } },
        { tag: 'absent', request_header: { name: 'x-absent' } },
        { tag: 'other', request_header: { name: 'x-other', default_value: 'none' } },
        { tag: 'path', environment: { name: 'LATEEN_NO_SUCH_VARIABLE', default_value: 'unset' } },
      ]
      const others = { custom_tags, max_path_tag_length: 8 }
      const of = kind === 'envoy' ? envoy : undefined
      const { port } = await chain(of, of, zipkinTracing({}, others))
      const traceId = randomBytes(16).toString('hex')
      const headers = {
        b3: `${traceId}-${randomBytes(8).toString('hex')}-1`,
        'x-asked': 'yes',
        'x-client-trace-id': 'c',
        'user-agent': 'test',
        'x-request-id': 'e5a1fd3b-0a3c-4b2a-9d66-0d6d3a2a0a0a',
      }
      await fetch(`http://127.0.0.1:${port}/plain/and/long?y=1`, { headers, method: 'POST', body: 'hello' })
      const spans = await spansOf(traceId, 3)
      tagsBy[kind] = spans
        .sort((a, b) =>
          `${a.kind}${a.localEndpoint.serviceName}`.localeCompare(`${b.kind}${b.localEndpoint.serviceName}`),
        )
        .map(({ tags, kind, name }) => ({
          ...tags,
          kind,
          name: name.replace(/^127.*:\d+$/, 'authority'),
          'http.url': tags['http.url']?.replace(/:\d+/, ''),
        }))
      for (const stop of stops) await stop()
      stops = []
    }
    expect(tagsBy.ours).toEqual(tagsBy.envoy)
  },
  90_000,
)
