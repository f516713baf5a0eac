import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { randomInt, seededRandom, systemRandom } from '../../lib/random.ts'
import { explainCall } from '../../proxy/decide/explain.ts'
import { peerOrSkip } from '../peers/peers.ts'
import { loopbackBlock } from '../support/mesh.ts'
import { sendRaw } from '../support/raw-http.ts'
import { addresses, type PlaneName } from './config.ts'
import { foretold, type Outcome, outcomeOf } from './outcome.ts'
import { Planes } from './planes.ts'
import { generateRequests, type TestRequest, wireText } from './requests.ts'

/** One configuration, two data planes: real Envoy and our proxy must do the same with every request. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const REQUESTS = 500
const AT_ONCE = 16

const block = loopbackBlock()
const planes = new Planes(addresses(block))
const requests = generateRequests(seededRandom(seed), REQUESTS)

beforeAll(() => planes.start(envoy), 60_000)
afterAll(() => planes.stop(), 20_000)

async function send(request: TestRequest, plane: PlaneName): Promise<Outcome> {
  return outcomeOf(await sendRaw(planes.at[request.at][plane], request.port, wireText(request)))
}

/** The two planes have addresses of their own; what depends on them is made the same. */
function neutral(outcome: Outcome): Outcome {
  return JSON.parse(
    JSON.stringify(outcome).replaceAll(`${block}.11`, 'PLANE').replaceAll(`${block}.12`, 'PLANE'),
  ) as Outcome
}

/** Requests go out some at a time: Envoy holds each closing connection open for a while. */
async function forEachAtOnce<T>(items: readonly T[], visit: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += AT_ONCE) await Promise.all(items.slice(i, i + AT_ONCE).map(visit))
}

function report(wrong: readonly unknown[]): void {
  if (wrong.length === 0) return
  const shown = wrong.slice(0, 8).map((one) => JSON.stringify(one, null, 1).replaceAll('\\n', '\n'))
  throw new Error(`${wrong.length} of ${requests.length}, seed ${seed}:\n${shown.join('\n')}`)
}

withEnvoy(
  `real Envoy and our proxy agree on ${REQUESTS} requests (seed ${seed})`,
  async () => {
    const differences: unknown[] = []
    await forEachAtOnce(requests, async (request) => {
      const [theirs, ours] = await Promise.all([send(request, 'envoy'), send(request, 'lateen')])
      try {
        expect(neutral(ours)).toEqual(neutral(theirs))
      } catch (thrown) {
        differences.push({ request: wireText(request).split('\r\n'), difference: (thrown as Error).message })
      }
    })
    report(differences)
  },
  180_000,
)

test(`explain foretells what our proxy does with ${REQUESTS} requests (seed ${seed})`, async () => {
  const plans = { sidecar: planes.plan('sidecar'), gateway: planes.plan('router') }
  const wrong: unknown[] = []
  for (const request of requests) {
    const outcome = await send(request, 'lateen')
    const explanation = await explainCall(plans[request.at], {
      method: request.method,
      url: new URL(`http://${request.host}/`),
      target: request.path,
      headers: request.headers,
      direction: request.at === 'gateway' ? 'gateway' : 'outbound',
      destination: `${planes.at[request.at].lateen}:${request.port}`,
      resolvedAddress: '',
      protocol: 'http',
      tls: 'none',
      sni: '',
      alpn: [],
      peer: '',
      randomValue: 0,
      faultDraw: 0,
    })
    const [seen, expected] = foretold(outcome, explanation)
    try {
      expect(seen).toEqual(expected)
    } catch (thrown) {
      wrong.push({ request: wireText(request).split('\r\n'), difference: (thrown as Error).message })
    }
  }
  report(wrong)
}, 120_000)

test('mirrors get their copies', () => {
  const asked = requests.filter((r) => r.host.startsWith('mirrored') && /^\/(one|many)/.test(r.path)).length
  expect(asked).toBeGreaterThan(0)
  expect(planes.upstreams.shadow.seen.length).toBeGreaterThan(0)
})
