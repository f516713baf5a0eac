import { Agent, createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { randomInt, seededRandom } from '../../../lib/random.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { forwardChain, listener, typed } from '../../support/static-resources.ts'
import { StaticPair } from '../static-pair.ts'

/**
 * Retries that turn to priorities that were not tried: real Envoy and our proxy go to the same priorities in the same order, whatever
 * the health of their hosts. LATEEN_TEST_SEED draws others.
 */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const seed = Number(process.env.LATEEN_TEST_SEED || Date.now() % 100_000)
const random = seededRandom(seed)
const FIRST_PORT = 7900
const MAX_PRIORITIES = 4
const RETRIES = 9

interface Case {
  readonly updateFrequency: number
  /** Of the only host of each priority. At least one is healthy, so that nothing is left to chance by panic. */
  readonly isHealthy: readonly boolean[]
}

const CASES: Case[] = [
  { updateFrequency: 1, isHealthy: [true, true, true] },
  { updateFrequency: 2, isHealthy: [true, true, true] },
  { updateFrequency: 3, isHealthy: [true, true] },
  { updateFrequency: 1, isHealthy: [true] },
  ...Array.from({ length: 12 }, () => ({
    updateFrequency: 1 + randomInt(random, 4),
    isHealthy: Array.from({ length: 1 + randomInt(random, MAX_PRIORITIES) }, () => randomInt(random, 3) > 0),
  })).map(({ isHealthy, ...others }) => ({ ...others, isHealthy: isHealthy.includes(true) ? isHealthy : [true] })),
]

const pair = new StaticPair()
const agent = new Agent()
const servers: Server[] = []
/** The priorities that each request came to, in order. */
const seen = new Map<string, number[]>()

beforeAll(async () => {
  if (envoy === undefined) return
  console.info(`seed ${seed}`)
  const ports: number[] = []
  for (let priority = 0; priority < MAX_PRIORITIES; priority++) {
    const server = createServer({ keepAliveTimeout: 0 }, ({ headers }, response) => {
      seen.get(String(headers['x-case']))?.push(priority)
      response.writeHead(503).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ports.push((server.address() as AddressInfo).port)
    servers.push(server)
  }
  const clusters = CASES.map(({ isHealthy }, i) => ({
    name: `c${i}`,
    type: 'STATIC',
    // Without it, a priority whose host is unhealthy is in panic when nothing else is left.
    common_lb_config: { healthy_panic_threshold: { value: 0 } },
    circuit_breakers: { thresholds: [{ max_retries: 1000 }] },
    load_assignment: {
      cluster_name: `c${i}`,
      endpoints: isHealthy.map((healthy, priority) => ({
        priority,
        lb_endpoints: [
          {
            health_status: healthy ? 'HEALTHY' : 'UNHEALTHY',
            endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: ports[priority] } } },
          },
        ],
      })),
    },
  }))
  const listeners = (address: string) =>
    CASES.map(({ updateFrequency }, i) => {
      const typed_config = typed('retry.priority.previous_priorities.v3.PreviousPrioritiesConfig', {
        update_frequency: updateFrequency,
      })
      const retry_policy = {
        retry_on: '5xx',
        num_retries: RETRIES,
        retry_back_off: { base_interval: '0.001s', max_interval: '0.001s' },
        retry_priority: { name: 'envoy.retry_priorities.previous_priorities', typed_config },
      }
      const fields = { address: { socket_address: { address, port_value: FIRST_PORT + i } } }
      return listener(`l${i}`, { ...fields, filter_chains: [forwardChain(`c${i}`, {}, { retry_policy })] })
    })
  await pair.start(
    envoy,
    CASES.map((_, i) => FIRST_PORT + i),
    listeners,
    clusters,
  )
}, 60_000)

afterAll(async () => {
  agent.destroy()
  await pair.stop()
  for (const server of servers) server.close()
}, 20_000)

/** Where the tries of one request went. */
async function triedBy(side: 'envoy' | 'lateen', index: number): Promise<number[]> {
  const name = `${side} ${index}`
  const tried: number[] = []
  seen.set(name, tried)
  const status = await new Promise((resolve, reject) => {
    const options = { host: pair.hosts[side], port: FIRST_PORT + index, headers: { 'x-case': name }, agent }
    request(options, (response) => response.resume().on('end', () => resolve(response.statusCode)))
      .on('error', reject)
      .end()
  })
  expect(status).toBe(503)
  return tried
}

withEnvoy(
  'the same priorities in the same order',
  async () => {
    for (const [i, { updateFrequency, isHealthy }] of CASES.entries()) {
      const about = `${i}: every ${updateFrequency}, ${isHealthy.map((healthy) => (healthy ? 'healthy' : 'not')).join(', ')}`
      const [ofEnvoy, ofLateen] = [await triedBy('envoy', i), await triedBy('lateen', i)]
      expect(`${about}: ${ofLateen}`).toBe(`${about}: ${ofEnvoy}`)
      expect(ofEnvoy.length).toBe(RETRIES + 1)
    }
  },
  60_000,
)
