import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { randomInt, seededRandom, systemRandom } from '../../lib/random.ts'
import { peerOrSkip } from '../peers/peers.ts'
import { eventually } from '../support/eventually.ts'
import { loopbackBlock } from '../support/mesh.ts'
import { type RandomRequest, randomRequest, randomVirtualService } from '../support/random-rules.ts'
import { sendRaw } from '../support/raw-http.ts'
import { addresses, HTTP_PORT, type PlaneName } from './config.ts'
import { outcomeOf } from './outcome.ts'
import { Planes } from './planes.ts'

/** Real Envoy and our proxy do the same, whatever the rules. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const CONFIGURATIONS = 8
const REQUESTS = 30

const HOST = 'random'
const RULES = {
  host: HOST,
  destinations: [
    { host: 'echo', subset: 'v1' },
    { host: 'echo', subset: 'v2' },
  ],
  port: HTTP_PORT,
  mirror: 'shadow',
  withoutDice: true,
}
const planes = new Planes(addresses(loopbackBlock()))

beforeAll(() => (envoy === undefined ? undefined : planes.start(envoy)), 60_000)
afterAll(() => planes.stop(), 20_000)

withEnvoy(
  `real Envoy and our proxy agree on ${CONFIGURATIONS} random configurations (seed ${seed})`,
  async () => {
    const random = seededRandom(seed)
    for (let i = 0; i < CONFIGURATIONS; i++) {
      const rules = randomVirtualService(random, RULES, [marker(i)])
      await apply(rules, i)
      // Of slashes alone, merged, Envoy leaves two.
      const requests = Array.from({ length: REQUESTS }, () => randomRequest(random)).filter(
        ({ path }) => !/^\/{2,}(\?|$)/.test(path),
      )
      await Promise.all(
        requests.map(async (request) => {
          const [theirs, ours] = await Promise.all([send(request, 'envoy'), send(request, 'lateen')])
          const context = { seed, request, rules }
          expect({ ...context, ...ours }).toEqual({ ...context, ...theirs })
        }),
      )
    }
  },
  60_000 + CONFIGURATIONS * 5_000,
)

/** A route that tells which configuration a proxy has. */
function marker(i: number): object {
  return { match: [{ uri: { exact: '/configuration' } }], directResponse: { status: 200, body: { string: String(i) } } }
}

async function apply(text: string, i: number): Promise<void> {
  planes.set('random.yaml', text)
  for (const plane of ['envoy', 'lateen'] as const) {
    await eventually(async () => {
      const { body } = await sendRaw(planes.at.sidecar[plane], HTTP_PORT, wireText(MARKER))
      expect(body).toBe(String(i))
    })
  }
}

const MARKER: RandomRequest = { method: 'GET', path: '/configuration', headers: [] }

async function send(request: RandomRequest, plane: PlaneName) {
  return outcomeOf(await sendRaw(planes.at.sidecar[plane], HTTP_PORT, wireText(request)))
}

function wireText({ method, path, headers }: RandomRequest): string {
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${HOST}`, ...headers.map(([name, value]) => `${name}: ${value}`)]
  return `${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`
}
