import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { RateLimitResponse_Code as Code } from '../../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { MixerClient } from '../../support/mixer-client.ts'
import { rateLimitRule } from '../../support/mixer-config.ts'
import { MixerProcess } from '../../support/mixer-process.ts'
import { RedisProcess } from '../../support/redis-process.ts'

/** Two mixers with one Redis count as one. */

const program = peerOrSkip('redis-server')
const withRedis = program === undefined ? test.skip : test

const redis = new RedisProcess(program ?? '')
const mixers: MixerProcess[] = []
const clients: MixerClient[] = []

beforeAll(async () => {
  if (program === undefined) return
  await redis.start()
  const fixed = rateLimitRule('redisquota', { redisServerUrl: redis.address })
  const rolling = fixed.replaceAll(
    'maxAmount: 500\n      validDuration: 1s\n',
    'maxAmount: 100\n      validDuration: 60s\n      rateLimitAlgorithm: ROLLING_WINDOW\n      bucketDuration: 500ms\n',
  )
  for (let i = 0; i < 2; i++) {
    const mixer = new MixerProcess({ 'limit.yaml': rolling })
    mixers.push(mixer)
    clients.push(new MixerClient(await mixer.listen()))
  }
}, 30_000)

afterAll(async () => {
  for (const client of clients) client.close()
  for (const mixer of mixers) await mixer.close()
  await redis.stop()
})

const HOST = 'productpage.default.svc.cluster.local'
const entries = (app: string, more: Record<string, string> = {}) => ({
  'destination.service.host': HOST,
  'destination.labels[app]': app,
  ...more,
})

/** How many of so many calls, sent at once to both, are granted. */
async function granted(calls: number, app: string): Promise<number> {
  const answers = await Promise.all(
    Array.from({ length: calls }, (_unused, i) => (clients[i % 2] as MixerClient).limit(entries(app))),
  )
  return answers.filter(({ overallCode }) => overallCode === Code.OK).length
}

withRedis(
  'two mixers share one quota exactly, whichever window it has',
  async () => {
    await eventually(async () => {
      for (const client of clients) await client.limit(entries('warm'))
    })
    expect(await granted(400, 'many')).toBe(100)
    // Of the override: 2 in 5 s, in a fixed window or a rolling one.
    expect(await granted(40, 'productpage')).toBe(2)
    const [one, other] = clients as [MixerClient, MixerClient]
    expect((await one.limit(entries('several'), 60)).overallCode).toBe(Code.OK)
    expect((await other.limit(entries('several'), 41)).overallCode).toBe(Code.OVER_LIMIT)
    const { statuses } = await other.limit(entries('several'), 40)
    expect(statuses[0]).toMatchObject({ code: Code.OK, limitRemaining: 0 })
  },
  30_000,
)

withRedis('who asks twice with one id is charged once', async () => {
  const id = { 'request.id': 'the-same' }
  for (const client of clients) {
    const { statuses } = await client.limit(entries('twice', id))
    expect(statuses[0]?.limitRemaining).toBe(99)
  }
  expect((await clients[0]?.limit(entries('twice')))?.statuses[0]?.limitRemaining).toBe(98)
})

withRedis(
  'without Redis nobody knows, and with it again they do; what was taken of a window may be lost, no more',
  async () => {
    const [client] = clients as [MixerClient]
    expect(await granted(2, 'productpage')).toBe(0)
    await redis.stop()
    await eventually(async () => {
      const error = await client.limit(entries('productpage')).then(
        () => undefined,
        (thrown: Error) => thrown.message,
      )
      expect(error).toContain('UNAVAILABLE')
      expect(error).toContain('Redis')
    })
    await redis.start()
    await eventually(async () => {
      for (const one of clients) await one.limit(entries('back'))
    })
    expect(await granted(10, 'productpage')).toBe(2)
  },
  40_000,
)
