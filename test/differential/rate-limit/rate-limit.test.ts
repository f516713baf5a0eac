import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { randomInt, seededRandom, systemRandom } from '../../../lib/random.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { echoOf } from '../../support/echo-server.ts'
import type { RawResponse } from '../../support/raw-http.ts'
import { PLANES, type Plane } from '../mesh-pair.ts'
import { ONE_PORT, WHOLE_SERVICE } from './istio-examples.ts'
import { randomFilters, randomRateLimit, randomRequest } from './random-limits.ts'
import { LimitedWorkload } from './workload.ts'

/** Real Envoy and our proxy limit alike what our pilot tells both. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const CONFIGURATIONS = 20
const REQUESTS = 30

/** Fields that limits write. The time is compared apart: two processes do not read one clock. */
const FIELDS = [
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-limited',
  'x-local-rate-limit',
  'grpc-status',
  'grpc-message',
]
const TIMES = ['x-ratelimit-reset', 'retry-after']

function verdictOf(response: RawResponse) {
  const { status, body } = response
  const isAnswered = body === 'local_rate_limited' || status !== 200 || fieldOf(response, 'grpc-status') !== undefined
  return {
    status,
    body: isAnswered ? body : '',
    wouldLimit: isAnswered ? undefined : echoOf(response)?.headers['x-would-limit'],
    fields: Object.fromEntries(FIELDS.map((name) => [name, fieldOf(response, name)])),
  }
}

function fieldOf({ headers }: RawResponse, wanted: string): string | undefined {
  return headers[wanted]
}

function expectAlike(ours: RawResponse, theirs: RawResponse, context: object): void {
  expect({ ...context, ...verdictOf(ours) }).toEqual({ ...context, ...verdictOf(theirs) })
  for (const name of TIMES) {
    const [own, other] = [fieldOf(ours, name), fieldOf(theirs, name)]
    expect(own === undefined).toBe(other === undefined)
    const others = other?.split(',') ?? []
    own?.split(',').forEach((time, i) => {
      expect(Math.abs(Number(time) - Number(others[i]))).toBeLessThanOrEqual(2)
    })
  }
}

describe.each([
  [
    'EnvoyFilters',
    (random: ReturnType<typeof seededRandom>, ports: readonly number[]) => {
      const configPatches = ports.flatMap((port) => randomFilters(random, port))
      return {
        apiVersion: 'networking.istio.io/v1alpha3',
        kind: 'EnvoyFilter',
        metadata: { name: 'random' },
        spec: { configPatches },
      }
    },
  ],
  [
    'RateLimits',
    (random: ReturnType<typeof seededRandom>, ports: readonly number[]) => {
      const limits = ports.flatMap((port) => randomRateLimit(random, port))
      return { apiVersion: 'lateen.mesh/v1alpha1', kind: 'RateLimit', metadata: { name: 'random' }, spec: { limits } }
    },
  ],
] as const)('%s', (_, make) => {
  const random = seededRandom(seed)
  const ports = Array.from({ length: CONFIGURATIONS }, (_, i) => 24_000 + i)
  const object = make(random, ports)
  const workload = new LimitedWorkload(ports, `\n${JSON.stringify(object)}\n`)
  beforeAll(() => (envoy === undefined ? undefined : workload.start(envoy)), 60_000)
  afterAll(() => workload.stop(), 20_000)

  withEnvoy(
    `${CONFIGURATIONS} by chance, ${REQUESTS} requests to each (seed ${seed})`,
    async () => {
      let refused = 0
      let passed = 0
      await Promise.all(
        ports.map(async (port) => {
          const random = seededRandom(seed + port)
          for (let i = 0; i < REQUESTS; i++) {
            const request = randomRequest(random)
            const { method, path, headers } = request
            const send = (plane: Plane) => workload.send(plane, port, path, headers, method)
            const [ours, theirs] = await Promise.all([send('lateen'), send('envoy')])
            expectAlike(ours, theirs, { seed, port, i, request })
            if (ours.body === 'local_rate_limited' || ours.status !== 200) refused++
            else passed++
          }
        }),
      )
      process.stderr.write(`seed ${seed}: ${passed} passed, ${refused} refused\n`)
      expect(Math.min(refused, passed)).toBeGreaterThan(CONFIGURATIONS)
    },
    60_000,
  )
})

describe.each([
  ['of all calls', WHOLE_SERVICE],
  ['of one port', ONE_PORT],
])("Istio's example %s", (_, example) => {
  const workload = new LimitedWorkload([9080], example)
  beforeAll(() => (envoy === undefined ? undefined : workload.start(envoy)), 60_000)
  afterAll(() => workload.stop(), 20_000)

  withEnvoy(
    'lets four through, and says why others are not',
    async () => {
      expect(workload.findings).toEqual([])
      for (const plane of PLANES) {
        const statuses: number[] = []
        for (let i = 0; i < 7; i++) {
          const response = await workload.send(plane, 9080)
          statuses.push(response.status)
          expect(fieldOf(response, 'x-local-rate-limit')).toBe(response.status === 429 ? 'true' : undefined)
        }
        expect(statuses).toEqual([200, 200, 200, 200, 429, 429, 429])
      }
    },
    30_000,
  )
})
