import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { randomInt, seededRandom } from '../../../lib/random.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { Backends } from './backends.ts'
import { askInBulk, backendsOf } from './bulk.ts'
import { get, HashingPair, hashed, PORT, TCP_PORT, type TestEndpoint } from './hashing-pair.ts'

/** Balancers besides the hashes alone: turns by weight, bounded loads, TCP by source, and one that Envoy does not have. */

jest.setTimeout(60_000)

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const SEED = Number(process.env.LATEEN_TEST_SEED || 2612)
const PLANES = ['envoy', 'lateen'] as const
const BACKENDS = 6

const backends = new Backends()
const pair = new HashingPair()

const bounded = { consistent_hashing_lb_config: { hash_balance_factor: 130 } }
const CLUSTERS = [
  hashed('ring', { lb_policy: 'RING_HASH' }),
  hashed('turns', { lb_policy: 'ROUND_ROBIN' }),
  hashed('least', { lb_policy: 'LEAST_REQUEST' }),
  hashed('bounded-ring', { lb_policy: 'RING_HASH', common_lb_config: bounded }),
  hashed('bounded-maglev', { lb_policy: 'MAGLEV', common_lb_config: bounded }),
  hashed('latency', {
    lb_policy: 'LEAST_REQUEST',
    metadata: { filter_metadata: { 'lateen.mesh': { peak_ewma_decay_ms: 10_000 } } },
  }),
]
const ROUTES = ['turns', 'least', 'bounded-ring', 'bounded-maglev', 'latency'].map((cluster) => ({
  match: { path: `/${cluster}` },
  route: { cluster, hash_policy: [{ header: { header_name: 'x-key' } }], timeout: '60s' },
}))

beforeAll(async () => {
  await backends.start(BACKENDS)
  if (envoy !== undefined) await pair.start(envoy, CLUSTERS, ROUTES, weighing([1, 1, 1, 1, 1, 1]))
}, 60_000)

afterAll(async () => {
  await pair.stop()
  backends.stop()
}, 20_000)

function weighing(weights: readonly number[]): TestEndpoint[] {
  return weights.map((weight, id) => ({ port: backends.ports[id]!, weight }))
}

const repeated = (path: string, count: number) => Array.from({ length: count }, () => get(path))
const inTurn = async (plane: 'envoy' | 'lateen', path: string, count: number) =>
  (await askInBulk(pair.hosts[plane], PORT, repeated(path, count), 1)).map(({ backend }) => backend)

/** Both serve these endpoints, and no others. */
async function settle(weights: readonly number[]): Promise<void> {
  pair.set(weighing(weights))
  const sum = weights.reduce((a, b) => a + b, 0)
  for (const plane of PLANES) {
    await eventually(async () => {
      const found = await inTurn(plane, '/turns', sum * 4)
      expect(weights.map((_, id) => found.filter((one) => one === id).length)).toEqual(weights.map((w) => w * 4))
    }, 20_000)
  }
}

withEnvoy.each([
  ['equal', [1, 1, 1, 1]],
  ['unequal', [1, 2, 4, 8, 1]],
  ['unequal', [4, 1, 2]],
  // Powers of two alone: of others the deadlines are rounded, and who is first of those that should tie is chance.
])('hosts of %s weights %j come in the same order', async (_, weights) => {
  await settle(weights)
  const period = weights.reduce((a, b) => a + b, 0)
  for (const path of ['/turns', ...(weights.some((weight) => weight !== 1) ? ['/least'] : [])]) {
    // Among those that tie the first round may have another order: it begins in the middle.
    for (const plane of PLANES) await inTurn(plane, path, period)
    const [theirs, ours] = [await inTurn('envoy', path, period * 3), await inTurn('lateen', path, period * 2)]
    // Each begins anywhere.
    const starts = Array.from({ length: period }, (_, start) => theirs.slice(start, start + period * 2).join())
    expect(starts).toContain(ours.join())
  }
})

withEnvoy.each(['bounded-ring', 'bounded-maglev'])(
  `%s: what overflows goes the same ways, seed ${SEED}`,
  async (name) => {
    const weights = [1, 1, 2, 1, 3, 1]
    await settle(weights)
    const random = seededRandom(SEED)
    const keys = Array.from({ length: 90 }, () => (randomInt(random, 2) === 0 ? 'loved' : `k${randomInt(random, 50)}`))
    const found: Record<string, number[]> = {}
    for (const plane of PLANES) {
      const sockets: Socket[] = []
      const answers: (() => void)[] = []
      const order: number[] = []
      for (const key of keys) {
        // None is answered before all were sent.
        const id = await new Promise<number>((resolve, reject) => {
          backends.hold = (backend, answer) => {
            answers.push(answer)
            resolve(backend)
          }
          const socket = connect(PORT, pair.hosts[plane], () => socket.write(get(`/${name}`, { 'x-key': key })))
          socket.on('error', reject)
          sockets.push(socket)
        })
        order.push(id)
      }
      backends.hold = undefined
      for (const answer of answers) answer()
      await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('data', resolve))))
      for (const socket of sockets) socket.destroy()
      found[plane] = order
    }
    expect(found.lateen).toEqual(found.envoy)
    // The loved key alone would fill one host, if it were let.
    const loved = (found.lateen as number[]).filter((_, i) => keys[i] === 'loved')
    expect(new Set(loved).size).toBeGreaterThan(1)
  },
)

withEnvoy('connections of one address go to one host, the same in both', async () => {
  await settle([1, 1, 1, 1, 1, 1])
  const sources = Array.from({ length: 60 }, (_, i) => `127.0.7.${i + 1}`)
  const of = (plane: 'envoy' | 'lateen') =>
    Promise.all(
      sources.map(
        (localAddress) =>
          new Promise<number>((resolve, reject) => {
            const socket = connect({ host: pair.hosts[plane], port: TCP_PORT, localAddress }, () =>
              socket.write(get('/')),
            )
            socket.on('error', reject)
            socket.on('close', () => reject(new Error('closed')))
            socket.once('data', (chunk) => {
              resolve(Number(/x-b: (\d+)/.exec(chunk.toString())?.[1]))
              socket.destroy()
            })
          }),
      ),
    )
  const [theirs, ours] = [await of('envoy'), await of('lateen')]
  expect(ours).toEqual(theirs)
  expect(new Set(ours).size).toBe(BACKENDS)
})

withEnvoy('a host that fails at once gets its share of Envoy, and next to nothing of Peak EWMA', async () => {
  await settle([1, 1, 1])
  backends.failing.add(1)
  const of = async (plane: 'envoy' | 'lateen') => {
    const found = await backendsOf(pair.hosts[plane], PORT, repeated('/latency', 900))
    return found.filter((id) => id === 1).length
  }
  expect(await of('envoy')).toBeGreaterThan(200)
  expect(await of('lateen')).toBeLessThan(60)
  backends.failing.clear()
})
