import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { randomInt, seededRandom, systemRandom } from '../../lib/random.ts'
import { ReferenceEngine } from '../../proxy/reference/engine.ts'
import { loopbackBlock } from '../support/mesh.ts'
import { sendRaw } from '../support/raw-http.ts'
import { ALT_PORT, addresses, GATEWAY_PORT, HTTP_PORT } from './config.ts'
import { type Outcome, outcomeOf } from './outcome.ts'
import { Planes } from './planes.ts'
import { generateRequests, type TestRequest, wireText } from './requests.ts'

/**
 * The same requests through our data path and through http-proxy on node:http, which ask one decision function: what
 * differs is what one of the two does to messages on their way.
 */

const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const REQUESTS = 1000
const AT_ONCE = 16

/**
 * What node:http cannot do, so far as these requests ask for it: methods that it does not know end their connection with a
 * 400 of its own. Not asked for here, and not there: CONNECT, trailers, interim answers, h2c upgrades served as plain
 * requests; and what the reference leaves out: mirrors, retries, TLS, gRPC-Web.
 */
const isBeyondNode = ({ method }: TestRequest) => method === 'put'

const planes = new Planes(addresses(loopbackBlock()))
const engines = new Map<string, { engine: ReferenceEngine; port: number }>()
const requests = generateRequests(seededRandom(seed), REQUESTS)

beforeAll(async () => {
  await planes.start(undefined)
  const plans = { sidecar: planes.plan('sidecar'), gateway: planes.plan('router') }
  for (const [at, port] of [
    ['sidecar', HTTP_PORT],
    ['sidecar', ALT_PORT],
    ['gateway', GATEWAY_PORT],
  ] as const) {
    const plan = plans[at]
    const address = planes.at[at].lateen
    const listener = [...plan.listeners.values()].find((one) => one.address === address && one.port === port)
    if (listener === undefined) throw new Error(`no listener on ${address}:${port}`)
    const engine = new ReferenceEngine(plan, listener)
    engines.set(`${at} ${port}`, { engine, port: await engine.listen(0, '127.0.0.1') })
  }
}, 60_000)
afterAll(async () => {
  for (const { engine } of engines.values()) await engine.close()
  await planes.stop()
}, 20_000)

/** Both see the client at an address of their own. */
function neutral(outcome: Outcome, at: string): Outcome {
  return JSON.parse(JSON.stringify(outcome).replaceAll(at, 'ENGINE')) as Outcome
}

async function both(request: TestRequest): Promise<{ ours: Outcome; theirs: Outcome }> {
  const text = wireText(request)
  const address = planes.at[request.at].lateen
  const reference = engines.get(`${request.at} ${request.port}`)
  const [ours, theirs] = await Promise.all([
    sendRaw(address, request.port, text),
    sendRaw('127.0.0.1', reference?.port ?? 0, text),
  ])
  return {
    ours: neutral(outcomeOf(ours), `${address}:${request.port}`),
    theirs: neutral(outcomeOf(theirs), `127.0.0.1:${reference?.port}`),
  }
}

test(`http-proxy and our data path agree on ${REQUESTS} requests (seed ${seed})`, async () => {
  const differences: unknown[] = []
  let excepted = 0
  const compare = async (request: TestRequest) => {
    const { ours, theirs } = await both(request)
    if (isBeyondNode(request)) {
      excepted++
      expect(theirs.status).toBe(ours.status)
      return
    }
    try {
      expect(theirs).toEqual(ours)
    } catch (thrown) {
      differences.push({ request: wireText(request).split('\r\n'), difference: (thrown as Error).message })
    }
  }
  for (let i = 0; i < requests.length; i += AT_ONCE) await Promise.all(requests.slice(i, i + AT_ONCE).map(compare))
  if (differences.length > 0) {
    const shown = differences.slice(0, 8).map((one) => JSON.stringify(one, null, 1).replaceAll('\\n', '\n'))
    throw new Error(`${differences.length} of ${REQUESTS}, seed ${seed}:\n${shown.join('\n')}`)
  }
  expect(excepted).toBeLessThan(REQUESTS / 50)
}, 120_000)
