import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { acceptShared, generateReads, lendTo } from './shared-read-socket.ts'
import { followReads, readByNode } from './socket-poll.ts'

// Elsewhere node reads.
const onLinux = process.platform === 'linux' ? test : test.skip

/** A connection that says back what it reads. */
class Echo {
  readonly accepted: Socket
  readonly client: Socket
  text = ''
  onRead = () => {}
  #onEcho = () => {}

  constructor(accepted: Socket, client: Socket) {
    this.accepted = accepted
    this.client = client
    lendTo(accepted, {
      onLentBytes: (lent) => {
        this.text += lent.toString('latin1')
        accepted.write(Buffer.from(lent))
        this.onRead()
      },
    })
    client.on('data', () => this.#onEcho())
  }

  async ask(text: string): Promise<void> {
    const echoed = new Promise<void>((resolve) => {
      this.#onEcho = resolve
    })
    this.client.write(text)
    await echoed
  }

  get isReadByNode(): boolean {
    return (this.accepted as unknown as { _handle: { reading: boolean } })._handle.reading
  }
}

let server: Server
let onAccepted: (socket: Socket) => void
const open: Echo[] = []

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  acceptShared(
    server,
    () => true,
    (socket) => onAccepted(socket),
  )
})

afterEach(() => {
  for (const { accepted, client } of open.splice(0)) {
    accepted.destroy()
    client.destroy()
  }
  server.close()
})

/** Two reads are node's. */
async function polled(): Promise<Echo> {
  const accepted = new Promise<Socket>((resolve) => {
    onAccepted = resolve
  })
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const echo = new Echo(await accepted, client)
  open.push(echo)
  await echo.ask('1')
  expect(echo.isReadByNode).toBe(true)
  await echo.ask('2')
  expect(echo.isReadByNode).toBe(false)
  return echo
}

onLinux('a connection that is read for the third time is read round node', async () => {
  const echo = await polled()
  for (const text of ['3', '45', '6']) await echo.ask(text)
  expect(echo.text).toBe('123456')
  expect(echo.isReadByNode).toBe(false)
})

onLinux('more than one read takes comes in order', async () => {
  const echo = await polled()
  const text = Array.from({ length: 60_000 }, (_, i) => `${i} `).join('')
  const end = once(echo.accepted, 'end')
  echo.client.end(text)
  echo.accepted.resume()
  await end
  expect(echo.text).toBe(`12${text}`)
})

onLinux('what comes while it is paused waits, and node reads it', async () => {
  const echo = await polled()
  echo.accepted.pause()
  await new Promise((resolve) => echo.client.write('3', resolve))
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
  expect(echo.text).toBe('12')
  const read = new Promise<void>((resolve) => {
    echo.onRead = resolve
  })
  echo.accepted.resume()
  await read
  expect(echo.text).toBe('123')
  // That was a read of node's, so:
  await echo.ask('4')
  expect(echo.isReadByNode).toBe(false)
})

onLinux('resumed although it was never paused, nothing is read twice', async () => {
  const echo = await polled()
  echo.accepted.resume()
  expect(echo.isReadByNode).toBe(true)
  for (const text of ['3', '4', '5']) await echo.ask(text)
  expect(echo.text).toBe('12345')
  expect(echo.isReadByNode).toBe(false)
})

onLinux('a reset is an error', async () => {
  const echo = await polled()
  const failed = once(echo.accepted, 'error')
  echo.client.resetAndDestroy()
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET', syscall: 'read' })
  expect(echo.accepted.destroyed).toBe(true)
})

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

/** More than are read one by one. */
const MANY = 9

async function manyPolled(count = MANY): Promise<Echo[]> {
  const echoes: Echo[] = []
  for (let i = 0; i < count; i++) echoes.push(await polled())
  return echoes
}

onLinux.each([3, MANY])(
  'a reader may close others that are read in the same turn, and its own (of %i)',
  async (count) => {
    const some = (await manyPolled()).slice(0, count)
    const closed = some.map(({ accepted }) => once(accepted, 'close'))
    let reads = 0
    for (const echo of some) {
      echo.accepted.on('error', () => {})
      echo.onRead = () => {
        reads++
        for (const { accepted } of some) accepted.destroy()
      }
    }
    for (const { client } of some) client.on('error', () => {}).write('x')
    await Promise.all(closed)
    expect(reads).toBe(1)
    // Their descriptors are others' now.
    const last = await polled()
    await last.ask('3')
    expect(last.text).toBe('123')
  },
)

onLinux('one that is paused, or given to node, by another that is read with it loses nothing', async () => {
  const echoes = await manyPolled()
  const [paused, given] = [echoes[MANY - 2] as Echo, echoes[MANY - 1] as Echo]
  const first = echoes[0] as Echo
  first.onRead = () => {
    paused.accepted.pause()
    readByNode(given.accepted)
    first.onRead = () => {}
  }
  for (const { client } of echoes) client.write('3')
  for (const echo of echoes) while (echo.text !== '123') await nextTurn()
  for (const { client } of [paused, given]) client.write('4')
  while (given.text !== '1234') await nextTurn()
  expect(paused.text).toBe('123')
  paused.accepted.resume()
  while (paused.text !== '1234') await nextTurn()
  await given.ask('5')
  expect(given.text).toBe('12345')
})

onLinux('of many that are readable, the few that are not paused are read', async () => {
  const echoes = await manyPolled()
  const paused = echoes.slice(3)
  for (const { accepted } of paused) accepted.pause()
  for (const { client } of echoes) client.write('3')
  for (const echo of echoes.slice(0, 3)) while (echo.text !== '123') await nextTurn()
  expect(paused.map(({ text }) => text)).toEqual(paused.map(() => '12'))
  for (const { accepted } of paused) accepted.resume()
  for (const echo of paused) while (echo.text !== '123') await nextTurn()
})

onLinux('of many that are read at once, one that failed or ended is told of, and long ones come whole', async () => {
  const echoes = await manyPolled()
  const [reset, ended] = echoes as [Echo, Echo]
  const failed = once(reset.accepted, 'error')
  const end = once(ended.accepted.resume(), 'end')
  const long = 'x'.repeat(200_000)
  reset.client.resetAndDestroy()
  ended.client.end('3')
  for (const { client } of echoes.slice(2)) client.write(long)
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET', syscall: 'read' })
  await end
  expect(ended.text).toBe('123')
  for (const echo of echoes.slice(2)) {
    while (echo.text.length < long.length + 2) await nextTurn()
    expect(echo.text === `12${long}`).toBe(true)
  }
})

onLinux('what a reader leaves for later is done before the turn ends', async () => {
  const echo = await polled()
  const order: string[] = []
  echo.onRead = () => {
    setImmediate(() => order.push('immediate'))
    process.nextTick(() => order.push('tick'))
    void Promise.resolve().then(() => order.push('promise'))
  }
  await echo.ask('3')
  await new Promise((resolve) => setImmediate(resolve))
  expect(order).toEqual(['tick', 'promise', 'immediate'])
})

onLinux('node reads where a read goes into memory that is made for it, and when it is told to', async () => {
  const [one, other] = [await polled(), await polled()]
  generateReads(one.accepted, undefined)
  readByNode(other.accepted)
  for (const echo of [one, other]) {
    expect(echo.isReadByNode).toBe(true)
    await echo.ask('3')
    expect(echo.text).toBe('123')
  }
})

onLinux('where turns have few reads node reads, until it is tried again', async () => {
  const echo = await polled()
  for (let i = 0; i < 300; i++) await echo.ask('x')
  expect(echo.isReadByNode).toBe(true)
  let asked = 0
  while (echo.isReadByNode && asked++ < 20_000) await echo.ask('x')
  expect(asked).toBeGreaterThan(16_000)
  expect(asked).toBeLessThan(16_500)
})

onLinux('where turns have many it goes on', async () => {
  const echoes = await manyPolled(40)
  for (let i = 0; i < 600; i++) await Promise.all(echoes.map((echo) => echo.ask('x')))
  expect(echoes.map(({ isReadByNode }) => isReadByNode)).not.toContain(true)
})

/** How many reads there were when the turn ended in which many connections were asked at once; `onRead` has all of them. */
async function readsOfTurn(onRead: (echoes: readonly Echo[], index: number) => void): Promise<number> {
  const echoes = await manyPolled()
  let reads = 0
  const ended = new Promise<number>((resolve) => {
    echoes.forEach((echo, i) => {
      echo.onRead = () => {
        if (reads++ === 0) setImmediate(() => resolve(reads))
        onRead(echoes, i)
      }
    })
  })
  for (const { client } of echoes.slice(0, 8)) client.write('x')
  return await ended
}

onLinux('what comes while many are read is read in the same turn', async () => {
  const reads = await readsOfTurn((echoes, i) => {
    if (i === 0) echoes[8]?.client.write('x')
  })
  expect(reads).toBe(9)
})

onLinux(
  'who follows reads is told before and after each row of them, and what it brings about is read before the turn ends',
  async () => {
    const steps: string[] = []
    let afterFirst = () => {}
    const unfollow = followReads({
      beforeReads: () => void steps.push('before'),
      afterReads() {
        steps.push('after')
        afterFirst()
        afterFirst = () => {}
      },
    })
    const reads = await readsOfTurn((echoes, i) => {
      if (i === 0) {
        steps.splice(0, steps.length - 1)
        afterFirst = () => void echoes[8]?.client.write('x')
      }
      steps.push('read')
    })
    expect(reads).toBe(9)
    const first = new Array(8).fill('read')
    expect(steps).toEqual(['before', ...first, 'after', 'before', 'read', 'after'])
    unfollow()
    await (await polled()).ask('3')
    expect(steps).toHaveLength(13)
  },
)

onLinux('who stops following while it is read is told of the end of that row, as are all others', async () => {
  const steps: string[] = []
  const follow = (name: string) =>
    followReads({
      beforeReads: () => void steps.push(`before ${name}`),
      afterReads: () => void steps.push(`after ${name}`),
    })
  const unfollow = [follow('a'), follow('b')]
  const echo = await polled()
  steps.length = 0
  echo.onRead = () => {
    for (const stop of unfollow) stop()
  }
  await echo.ask('3')
  await nextTurn()
  expect(steps).toEqual(['before a', 'before b', 'after a', 'after b'])
})

onLinux('and what comes forever does not keep the turn from its end', async () => {
  // Nine at a time, so that the bound is met within one.
  const reads = await readsOfTurn((echoes, i) => {
    echoes[i]?.client.write('x')
    if (i === 0) echoes[8]?.client.write('x')
  })
  expect(reads).toBeGreaterThan(64)
  expect(reads).toBeLessThanOrEqual(256)
})
