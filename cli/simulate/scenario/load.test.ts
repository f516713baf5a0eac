import { expect, test } from '@jest/globals'
import { seededRandom } from '../../../lib/random.ts'
import { readScenario } from './load.ts'

const SMALL = `duration: 10s
services:
  - name: a
    latency: { distribution: constant, mean: 5ms }
    calls:
      - service: b
  - name: b
    versions:
      - { name: v1, replicas: 2, latency: { distribution: exponential, p50: 0.5ms } }
      - { name: v2, replicas: 1, concurrency: 3 }
    latency: { distribution: constant, mean: 5ms }
    failures:
      - { kind: status, from: 1s, to: 2s }
clients:
  - { name: web, service: a, rate: 10 }
expect:
  - client: web
    successRate: { atLeast: 0.9 }
`

/** What is said of the small scenario after an edit. */
async function refusal(from: string, to: string): Promise<string> {
  expect(SMALL).toContain(from)
  return readScenario('s.yaml', SMALL.replace(from, to)).then(
    () => 'accepted',
    (thrown: Error) => thrown.message,
  )
}

test('puts defaults in place', async () => {
  const model = await readScenario('s.yaml', SMALL)
  expect(model).toMatchObject({ seed: 1, durationMs: 10_000, slices: 40, networkLatencyMs: 0.25, changes: [] })
  const [a, b] = model.services
  expect(a).toMatchObject({
    namespace: 'default',
    port: 80,
    protocol: 'http',
    maxQueue: 1000,
    stopsWhenAbandoned: false,
  })
  expect(a?.versions).toMatchObject([{ name: '', replicas: 1, concurrency: Number.POSITIVE_INFINITY }])
  expect(a?.calls).toMatchObject([{ service: 'b', count: 1, probability: 1, failWith: 0, request: { path: '/' } }])
  expect(b?.versions).toMatchObject([
    { name: 'v1', replicas: 2 },
    { name: 'v2', concurrency: 3 },
  ])
  expect(b?.versions[1]?.latency.sample(seededRandom(1))).toBe(5)
  expect(b?.failures).toMatchObject([{ fromMs: 1000, toMs: 2000, value: 503, rate: 1 }])
  expect(model.clients).toMatchObject([{ fromMs: 0, toMs: 10_000, timeoutMs: Number.POSITIVE_INFINITY, proxies: 1 }])
  expect(model.expectations).toMatchObject([{ client: 'web', measure: 'successRate', line: 18, toMs: 10_000 }])
})

test.each([
  ['duration: 10s', 'duration: ten', 's.yaml:1: duration: must be a duration of at least 1ms'],
  ['duration: 10s', 'length: 10s', 's.yaml:1: length: unknown field'],
  ['    calls:\n', '    call:\n', 's.yaml:5: services[0].call: unknown field; did you mean'],
  ['- service: b', '- service: c', 's.yaml:6: services[0].calls[0].service: there is no service "c"; there are a, b'],
  ['- service: b', '- service: a', 's.yaml:6: services[0].calls[0]: goes in a circle: a -> a'],
  ['name: b\n', 'name: a\n', 's.yaml:7: services[1].name: "a" is the name of another service or client'],
  ['name: b\n', 'name: B\n', 's.yaml:7: services[1].name: "B" must be of lower-case letters'],
  ['name: v2', 'name: v1', 's.yaml:8: services[1].versions: each version needs a name of its own'],
  ['p50: 0.5ms', 'p99: 1ms', 's.yaml:9: services[1].versions[0].latency.p99: means nothing for exponential'],
  [
    '    latency: { distribution: constant, mean: 5ms }\n    failures',
    '    failures',
    'services[1].latency: must be given',
  ],
  ['kind: status', 'kind: slow', 's.yaml:13: services[1].failures[0].value: must be given: how many times as long?'],
  ['kind: status', 'kind: crash', 's.yaml:13: services[1].failures[0].kind: must be one of status, reset'],
  ['from: 1s', 'from: 3s', 's.yaml:13: services[1].failures[0].to: must be after from'],
  ['from: 1s', 'version: v3', 's.yaml:13: services[1].failures[0].version: there is no version "v3"'],
  ['service: a, rate', 'service: z, rate', 's.yaml:15: clients[0].service: there is no service "z"'],
  ['rate: 10 }', 'rate: 1, request: { path: a b } }', 's.yaml:15: clients[0].request: is no request'],
  ['rate: 10 }', 'rate: 1, request: { headers: { a: "b\\nc" } } }', 's.yaml:15: clients[0].request: is no request'],
  ['rate: 10 }', 'rate: 1, request: { headers: { content-length: "3" } } }', 'clients[0].request: has content'],
  [
    'service: b\n',
    'service: b\n        request: { headers: { connection: upgrade, upgrade: x } }\n',
    's.yaml:7: services[0].calls[0].request: asks for a tunnel',
  ],
  ['client: web', 'client: app', 's.yaml:17: expect[0].client: there is no client "app"'],
  ['{ atLeast: 0.9 }', '{}', 's.yaml:18: expect[0].successRate: needs one of below, atMost'],
  ['successRate', 'amplification', 's.yaml:18: expect[0].amplification: is measured of services'],
  ['expect:', 'config: [none/]\nexpect:', 's.yaml:16: config[0]'],
  ['expect:', 'config: [5]\nexpect:', 's.yaml:16: config[0]: must be a path, or an object'],
  ['expect:', 'expect: [', 's.yaml:'],
])('%j in the place of which %j is refused: %s', async (from, to, message) => {
  expect(await refusal(from, to)).toContain(message)
})

test('objects within it stand on the lines that they have there', async () => {
  const inline = `config:
  - apiVersion: v1
    kind: Service
    metadata: { name: x }
  - { apiVersion: v1, kind: Service, metadata: { name: second } }
expect:`
  const { config } = await readScenario('s.yaml', SMALL.replace('expect:', inline))
  const lines = (config[0]?.text ?? '').split('\n')
  expect(config).toHaveLength(1)
  expect(lines[16]).toContain('"name":"x"')
  expect(lines[19]).toContain('"name":"second"')
})
