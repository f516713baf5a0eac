import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { acceptShared, generateReads, lendTo } from './shared-read-socket.ts'
import { readByNode } from './socket-poll.ts'

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

onLinux('a reader may close another connection that is read in the same turn, or its own', async () => {
  const [first, second, third] = [await polled(), await polled(), await polled()]
  const closed = [first, second, third].map(({ accepted }) => once(accepted, 'close'))
  let reads = 0
  for (const echo of [first, second, third]) {
    echo.accepted.on('error', () => {})
    echo.onRead = () => {
      reads++
      for (const { accepted } of [first, second, third]) accepted.destroy()
    }
  }
  for (const { client } of [first, second, third]) client.on('error', () => {}).write('x')
  await Promise.all(closed)
  expect(reads).toBe(1)
  // Their descriptors are others' now.
  const fourth = await polled()
  await fourth.ask('3')
  expect(fourth.text).toBe('123')
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
  const echoes: Echo[] = []
  for (let i = 0; i < 20; i++) echoes.push(await polled())
  for (let i = 0; i < 600; i++) await Promise.all(echoes.map((echo) => echo.ask('x')))
  expect(echoes.map(({ isReadByNode }) => isReadByNode)).not.toContain(true)
})

/** How many reads there were when the turn ended in which many connections were asked at once; `onRead` has all of them. */
async function readsOfTurn(onRead: (echoes: readonly Echo[], index: number) => void): Promise<number> {
  const echoes: Echo[] = []
  for (let i = 0; i < 9; i++) echoes.push(await polled())
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

onLinux('and what comes forever does not keep the turn from its end', async () => {
  // Nine at a time, so that the bound is met within one.
  const reads = await readsOfTurn((echoes, i) => {
    echoes[i]?.client.write('x')
    if (i === 0) echoes[8]?.client.write('x')
  })
  expect(reads).toBeGreaterThan(64)
  expect(reads).toBeLessThanOrEqual(256)
})
