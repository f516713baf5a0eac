import { once } from 'node:events'
import { afterEach, expect, test } from '@jest/globals'
import { testSeed as seed } from '../../test/support/hpack.ts'
import { type SocketPair, socketPairs } from '../../test/support/socket-pair.ts'
import { randomInt, seededRandom } from '../random.ts'
import { addressOf, allowDirectWrites } from './direct-write.ts'
import { BATCH_SIZE } from './io-batch.ts'
import { WriteQueue } from './write-queue.ts'

const open: SocketPair[] = []

async function direct(count: number): Promise<SocketPair[]> {
  const made = await socketPairs(count)
  open.push(...made)
  for (const { near } of made) allowDirectWrites(near)
  return made
}

afterEach(() => {
  for (const pair of open.splice(0)) pair.close()
})

/** All that a peer is told until the end. */
async function received({ near, far }: SocketPair): Promise<Buffer> {
  const chunks: Buffer[] = []
  far.on('data', (bytes: Buffer) => chunks.push(bytes))
  near.end()
  await once(far, 'end')
  return Buffer.concat(chunks)
}

test(`each peer is told what it was written, in order, however much it takes (seed ${seed})`, async () => {
  const random = seededRandom(seed)
  const many = await direct(BATCH_SIZE + 5)
  const sent = many.map(() => [] as Buffer[])
  const queue = new WriteQueue()
  for (let round = 0; round < 40; round++) {
    // Its own each time: what is not taken stays in it.
    const bytes = Buffer.allocUnsafeSlow(1_000_000)
    // Numbers that come once, each longer than a byte.
    new Uint32Array(bytes.buffer).forEach((_, i, words) => {
      words[i] = round * bytes.length + i
    })
    const count = randomInt(random, 100)
    let at = 0
    const asked = new Set<SocketPair>()
    for (let i = 0; i < count && at < bytes.length; i++) {
      const peer = randomInt(random, many.length)
      // The first few are given far more than the kernel takes; all of one round, often more than once.
      const most = peer < 5 ? 300_000 : 200
      const end = Math.min(at + 1 + randomInt(random, most), bytes.length)
      queue.add((many[peer] as SocketPair).near, at, end)
      asked.add(many[peer] as SocketPair)
      sent[peer]?.push(bytes.subarray(at, end))
      at = end
    }
    const isTaken = queue.leave(bytes, addressOf(bytes))
    expect(queue.length).toBe(0)
    const waits = [...asked].some(({ near }) => near.writableLength > 0)
    expect({ seed, round, isTaken }).toEqual({ seed, round, isTaken: !waits })
    if (round % 4 === 3) await new Promise((resolve) => setImmediate(resolve))
  }
  expect(many.slice(0, 5).some(({ near }) => near.writableLength > 0)).toBe(true)
  const told = await Promise.all(many.map(received))
  told.forEach((bytes, i) => {
    expect({ seed, i, isSame: bytes.equals(Buffer.concat(sent[i] as Buffer[])) }).toEqual({ seed, i, isSame: true })
  })
})

test('what is taken is no longer read, and one write follows another of the same socket at once', async () => {
  const many = await direct(10)
  const queue = new WriteQueue()
  const bytes = Buffer.allocUnsafeSlow(40)
  bytes.write('0123456789'.repeat(4))
  for (const [i, { near }] of many.entries()) {
    queue.add(near, i * 4, i * 4 + 1)
    queue.add(near, i * 4 + 1, i * 4 + 4)
  }
  expect(queue.length).toBe(10)
  expect(queue.leave(bytes, addressOf(bytes))).toBe(true)
  bytes.fill(0)
  expect(String(Buffer.concat(await Promise.all(many.map(received))))).toBe('0123456789'.repeat(4))
})

test('closed sockets are passed over, one that ended or whose peer is gone fails, and the others are written to', async () => {
  const many = await direct(10)
  const [closed, ended, gone] = many as [SocketPair, SocketPair, SocketPair]
  closed.near.destroy()
  ended.near.end()
  gone.far.resetAndDestroy()
  await once(gone.far, 'close')
  const failed = [ended, gone].map(({ near }) => once(near, 'error'))
  const queue = new WriteQueue()
  const bytes = Buffer.allocUnsafeSlow(10).fill('x')
  for (const { near } of many) queue.add(near, 0, 10)
  queue.leave(bytes, addressOf(bytes))
  const [afterEnd, atGone] = (await Promise.all(failed)).flat()
  expect(String(afterEnd)).toContain('write after end')
  expect(String(atGone)).toMatch(/EPIPE|ECONNRESET/)
  for (const pair of many.slice(3)) expect(String(await received(pair))).toBe('x'.repeat(10))
})

test('a socket is once in a batch, so that nothing overtakes what was cut', async () => {
  const [one, other] = (await direct(2)) as [SocketPair, SocketPair]
  const batches: number[] = []
  // A kernel that takes one byte of each.
  const batch = {
    count: 0,
    addWrite: () => {
      batch.count++
    },
    submit: (results: Int32Array) => {
      if (batch.count > 0) batches.push(batch.count)
      results.fill(1)
      batch.count = 0
    },
  }
  const queue = new WriteQueue(() => batch)
  const bytes = Buffer.allocUnsafeSlow(20)
  bytes.write('abcdefghijklmnopqrst')
  for (const [i, { near }] of [one, other, one, one, other, other].entries()) queue.add(near, i * 3, i * 3 + 2)
  queue.leave(bytes, addressOf(bytes))
  expect(batches).toEqual([2, 1, 2, 1])
  expect(String(await received(one))).toBe('bhk')
  expect(String(await received(other))).toBe('enq')
})

test('without the C library, node writes', async () => {
  const many = await direct(10)
  const queue = new WriteQueue()
  const bytes = Buffer.allocUnsafeSlow(10).fill('x')
  for (const { near } of many) queue.add(near, 0, 10)
  queue.leave(bytes, 0)
  for (const pair of many) expect(String(await received(pair))).toBe('x'.repeat(10))
})

test('it says when it has no more room', async () => {
  const [one, other] = (await direct(2)) as [SocketPair, SocketPair]
  const queue = new WriteQueue()
  const bytes = Buffer.allocUnsafeSlow(1000)
  let added = 0
  while (!queue.isFull) queue.add(added % 2 === 0 ? one.near : other.near, added, ++added)
  expect(added).toBe(256)
  for (let i = 0; i < bytes.length; i++) bytes[i] = i & 255
  queue.leave(bytes, addressOf(bytes))
  expect([...(await received(one))]).toEqual(Array.from({ length: 128 }, (_, i) => i * 2))
})
