import { once } from 'node:events'
import { afterEach, expect, test } from '@jest/globals'
import { type SocketPair, socketPairs } from '../../test/support/socket-pair.ts'
import { MeshError } from '../errors.ts'
import { addressOf } from './direct-write.ts'
import { BATCH_SIZE, IoBatch, ioBatch, MIN_BATCH, NOT_DONE } from './io-batch.ts'
import { type Libc, libc } from './libc.ts'
import { descriptorOf } from './original-destination.ts'

// Elsewhere there is none.
const onLinux = process.platform === 'linux' ? test : test.skip

const EAGAIN = 11
const NO_DESCRIPTOR = 0x7fff_ffff

const open: SocketPair[] = []
const results = new Int32Array(BATCH_SIZE)

async function pairs(count: number): Promise<SocketPair[]> {
  const made = await socketPairs(count)
  open.push(...made)
  return made
}

afterEach(() => {
  for (const pair of open.splice(0)) pair.close()
})

function batch(): IoBatch {
  const made = ioBatch()
  if (made === undefined) throw new Error('the kernel has no io_submit')
  return made
}

/** Submits, and says what came of it. */
function submitted(): number[] {
  const { count } = batch()
  results.fill(77)
  batch().submit(results)
  expect(batch().count).toBe(0)
  return [...results.subarray(0, count)]
}

/** Each pair's socket as its number. */
const near = ({ near }: SocketPair) => descriptorOf(near) as number

onLinux('many are written to, and read, by one call each, as often as one likes', async () => {
  const many = await pairs(BATCH_SIZE)
  const out = Buffer.allocUnsafeSlow(BATCH_SIZE)
  const into = Buffer.allocUnsafeSlow(BATCH_SIZE * 8)
  const [outAddress, intoAddress] = [addressOf(out), addressOf(into)]
  for (const { far } of many) far.on('data', (bytes) => far.write(bytes))
  // Far more than the kernel's ring has room for.
  for (let round = 0; round < 100; round++) {
    for (let i = 0; i < BATCH_SIZE; i++) out[i] = (round + i * 7) & 255
    for (const [i, pair] of many.entries()) batch().addWrite(near(pair), outAddress + i, 1)
    expect(submitted()).toEqual(many.map(() => 1))
    const left = new Set(many.keys())
    while (left.size >= MIN_BATCH) {
      const asked = [...left]
      for (const i of asked) batch().addRead(near(many[i] as SocketPair), intoAddress + i * 8, 8)
      const read = submitted()
      asked.forEach((i, place) => {
        if (read[place] === -EAGAIN) return
        expect({ round, i, length: read[place], byte: into[i * 8] }).toEqual({ round, i, length: 1, byte: out[i] })
        left.delete(i)
      })
      await new Promise((resolve) => setImmediate(resolve))
    }
    // The last few are read by no batch.
    for (const i of left) expect(await byteOf(many[i] as SocketPair)).toBe(out[i])
  }
})

async function byteOf({ near }: SocketPair): Promise<number | undefined> {
  const [bytes] = (await once(near.resume(), 'data')) as [Buffer]
  near.pause()
  return bytes[0]
}

onLinux('what is not there is an error, and so is a peer that is gone', async () => {
  const many = await pairs(MIN_BATCH)
  const bytes = Buffer.allocUnsafeSlow(MIN_BATCH * 8)
  const address = addressOf(bytes)
  for (const [i, pair] of many.entries()) batch().addRead(near(pair), address + i * 8, 8)
  expect(submitted()).toEqual(many.map(() => -EAGAIN))
  // Its own end, so that no byte of the peer's has to come first.
  many[1]?.near.end()
  await once(many[1]?.near as never, 'finish')
  for (const [i, pair] of many.entries()) batch().addWrite(near(pair), address + i * 8, 8)
  const EPIPE = 32
  expect(submitted()).toEqual(many.map((_, i) => (i === 1 ? -EPIPE : 8)))
})

onLinux('few are left, and so are one that the kernel does not take and those behind it', async () => {
  const many = await pairs(MIN_BATCH + 1)
  const bytes = Buffer.allocUnsafeSlow(8).fill('x')
  for (const pair of many.slice(0, MIN_BATCH - 1)) batch().addWrite(near(pair), addressOf(bytes), 1)
  expect(submitted()).toEqual(new Array(MIN_BATCH - 1).fill(NOT_DONE))
  for (const [i, pair] of many.entries()) {
    batch().addWrite(i === 2 ? NO_DESCRIPTOR : near(pair), addressOf(bytes), i + 1)
  }
  expect(submitted()).toEqual(many.map((_, i) => (i < 2 ? i + 1 : NOT_DONE)))
  for (const [i, { far }] of many.slice(0, 2).entries()) {
    expect(String((await once(far, 'data'))[0])).toBe('x'.repeat(i + 1))
  }
  // And the next batch is as good as any.
  for (const pair of many) batch().addWrite(near(pair), addressOf(bytes), 1)
  expect(submitted()).toEqual(many.map(() => 1))
})

const MAGIC_WORD = 4
const LENGTH_WORD = 1
const TAIL_WORD = 3
const EVENT_WORDS = 8

/** A C library whose kernel is made up. */
function madeUp(ring: Int32Array, call: (memoryAt: (address: number) => Buffer, ...args: number[]) => number): Libc {
  const real = libc()
  if (real instanceof MeshError) throw real
  const buffers = new Map<number, Buffer>()
  const address = (buffer: Buffer) => {
    const at = real.address(buffer)
    buffers.set(at, buffer)
    return at
  }
  const memoryAt = (at: number) => buffers.get(at) as Buffer
  return {
    ...real,
    address,
    view: () => ring.buffer as ArrayBuffer,
    systemCall: (...args) => call(memoryAt, ...args),
  }
}

onLinux('there is none where the kernel refuses, or shares no results', () => {
  const ring = new Int32Array(64)
  expect(IoBatch.make(madeUp(ring, () => -1))).toBeUndefined()
  const made: number[] = []
  expect(IoBatch.make(madeUp(ring, (_, number) => made.push(number as number) - made.length))).toBeUndefined()
  // What the kernel has set up is given back: that is the number after that of io_setup.
  expect(made).toEqual([made[0], (made[0] as number) + 1])
})

onLinux('results that come later are waited for', () => {
  const ring = new Int32Array(EVENT_WORDS * 4)
  ring[MAGIC_WORD] = 0xa10a10a1
  ring[LENGTH_WORD] = 3
  const count = MIN_BATCH + 1
  let calls = 0
  const made = IoBatch.make(
    madeUp(ring, (memoryAt, _number, _context, second, third, fourth) => {
      // Set up; submitted in two parts, of which two are done at once; interrupted; the rest in two parts.
      if (++calls === 1) return 0
      if (calls === 2) return 4
      if (calls === 3) {
        ring.set([1, 0, 0, 0, 101, 0], EVENT_WORDS)
        ring.set([0, 0, 0, 0, 100, 0], EVENT_WORDS * 2)
        ring[TAIL_WORD] = 2
        return count - 4
      }
      if (calls === 4) return -1
      expect([second, third]).toEqual(calls === 5 ? [count - 2, count - 2] : [count - 4, count - 4])
      const events = memoryAt(fourth as number)
      const places = calls === 5 ? [3, 2] : Array.from({ length: count - 4 }, (_, i) => i + 4)
      places.forEach((place, i) => {
        events.writeInt32LE(place, i * EVENT_WORDS * 4)
        events.writeInt32LE(100 + place, (i * EVENT_WORDS + 4) * 4)
      })
      return places.length
    }),
  ) as IoBatch
  for (let i = 0; i < count; i++) made.addRead(1, 0, 1)
  results.fill(77)
  made.submit(results)
  expect([...results.subarray(0, count + 1)]).toEqual([...Array.from({ length: count }, (_, i) => 100 + i), 77])
  expect(calls).toBe(6)
})
