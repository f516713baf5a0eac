import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { randomInt, seededRandom, systemRandom } from '../../lib/random.ts'
import { RANDOM_VALUE_BOUND } from '../../proxy/decide/call.ts'
import { type Explanation, explainCall } from '../../proxy/decide/explain.ts'
import { type Echo, echoOf } from '../support/echo-server.ts'
import { eventually } from '../support/eventually.ts'
import { loopbackBlock } from '../support/mesh.ts'
import { type RandomRequest, randomRequest, randomVirtualService } from '../support/random-rules.ts'
import { sendRaw } from '../support/raw-http.ts'
import { addresses, HTTP_PORT } from './config.ts'
import { Planes } from './planes.ts'

/** Whatever the rules and whatever is asked: `explain` says beforehand what the proxy then does. */

const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const CONFIGURATIONS = 40
const REQUESTS = 40

const HOST = 'random'
const planes = new Planes(addresses(loopbackBlock()))
/** The dice of the proxy under test: they show what the test has put there. */
const dice = { value: 0, next: () => dice.value }

beforeAll(() => planes.start(undefined, dice), 60_000)
afterAll(() => planes.stop(), 20_000)

test(`explain equals the proxy on ${CONFIGURATIONS} random configurations (seed ${seed})`, async () => {
  const random = seededRandom(seed)
  for (let i = 0; i < CONFIGURATIONS; i++) {
    await applyRules(randomVirtualService(random, RULES, [marker(i)]), i)
    const plan = planes.plan('sidecar')
    let mirrored = planes.upstreams.shadow.seen.length
    for (let n = 0; n < REQUESTS; n++) {
      const request = randomRequest(random)
      dice.value = random.next()
      const explanation = await explainCall(plan, callOf(request))
      const response = await sendRaw(planes.at.sidecar.lateen, HTTP_PORT, wireText(request))
      const echo = echoOf(response)
      const context = { seed, configuration: i, request }
      expect({ ...context, ...seen(response, echo) }).toEqual({ ...context, ...foretold(explanation, request, echo) })
      mirrored += explanation.mirrors.length
    }
    await eventually(() => expect(planes.upstreams.shadow.seen.length).toBe(mirrored))
  }
}, 120_000)

const RULES = {
  host: HOST,
  destinations: [
    { host: 'echo', subset: 'v1' },
    { host: 'echo', subset: 'v2' },
  ],
  port: HTTP_PORT,
  mirror: 'shadow',
}

/** A route that tells which configuration the proxy has. */
function marker(i: number): object {
  return { match: [{ uri: { exact: '/configuration' } }], directResponse: { status: 200, body: { string: String(i) } } }
}

async function applyRules(text: string, i: number): Promise<void> {
  planes.set('random.yaml', text)
  await eventually(async () => {
    const request = { method: 'GET', path: '/configuration', headers: [] }
    const { body } = await sendRaw(planes.at.sidecar.lateen, HTTP_PORT, wireText(request))
    expect(body).toBe(String(i))
  })
}

function wireText({ method, path, headers }: RandomRequest): string {
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${HOST}`, ...headers.map(([name, value]) => `${name}: ${value}`)]
  return `${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`
}

function callOf({ method, path, headers }: RandomRequest) {
  return {
    method,
    url: new URL(`http://${HOST}/`),
    target: path,
    headers: [...headers, ['connection', 'close'] as const],
    direction: 'outbound',
    destination: `${planes.at.sidecar.lateen}:${HTTP_PORT}`,
    resolvedAddress: '',
    protocol: 'http',
    tls: 'none',
    sni: '',
    alpn: [],
    peer: '',
    randomValue: Math.floor(dice.value * RANDOM_VALUE_BOUND),
    faultDraw: dice.value,
  } as const
}

function seen(response: Awaited<ReturnType<typeof sendRaw>>, echo: Echo | undefined) {
  const { status, headers, body } = response
  // The answer to a HEAD does not say what the upstream was asked.
  if (echo === undefined && headers['x-from-upstream'] !== undefined) return { subset: headers['x-from-upstream'] }
  if (echo === undefined) return { status, location: headers.location ?? '', body }
  const { 'x-request-id': id, ...rest } = echo.headers
  return { status, subset: echo.server, path: echo.path, requestHeaders: { ...rest, 'x-request-id': id !== undefined } }
}

function foretold(explanation: Explanation, { method }: RandomRequest, echo: Echo | undefined) {
  const { redirect, directResponse, subset, path, requestHeaders } = explanation
  if (redirect !== null) return { status: redirect.status, location: redirect.location, body: '' }
  if (directResponse !== null) {
    return { status: directResponse.status, location: '', body: method === 'HEAD' ? '' : directResponse.body }
  }
  if (echo === undefined) return { subset }
  return { status: 200, subset, path, requestHeaders: { ...requestHeaders, 'x-request-id': true } }
}
