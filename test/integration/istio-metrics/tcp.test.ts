import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { silentLogger } from '../../../lib/log.ts'
import { Agent } from '../../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../../proxy/agent/bootstrap.ts'
import { eventually } from '../../support/eventually.ts'
import { loopbackBlock } from '../../support/mesh.ts'
import { bootstrap, REPORT_MS } from './resources.ts'

/** What Istio's metrics say of a TCP proxy's connections: exact when they are over, and now and then while they are open. */

const HOST = `${loopbackBlock()}.5`
const PORT = 9000
const ANSWER = Buffer.alloc(3000, 'a')

const clock = new ManualClock()
/** Sends so much for every byte of a question mark, and ends with its client. */
let upstream: Server
let agent: Agent
const sockets: Socket[] = []

beforeAll(async () => {
  upstream = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      for (const byte of data) if (byte === 63) socket.write(ANSWER)
    })
    socket.on('end', () => socket.end())
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as { port: number }
  const text = bootstrap(HOST, { tcp: PORT, http: PORT + 1 }, { tcp: port, http: port })
  agent = new Agent(parseBootstrap(text, 'static'), 'static', { clock, log: silentLogger })
  await agent.start()
})

afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await agent.stop(0)
  upstream.close()
})

const NAMES = ['connections_opened', 'connections_closed', 'received_bytes', 'sent_bytes'] as const
type Counts = Record<(typeof NAMES)[number], number>

/** Of all series, or of those with these response flags. */
function counts(flags?: string): Counts {
  const all = agent.planes.metrics.all()
  const sumOf = (name: string) =>
    all
      .filter((metric) => metric.name === `istio_tcp_${name}_total`)
      .filter(({ labels }) => flags === undefined || labels.response_flags === flags)
      .reduce((sum, { value }) => sum + value, 0)
  return Object.fromEntries(NAMES.map((name) => [name, sumOf(name)])) as Counts
}

/** How much has been counted since. */
function since(before: Counts, flags?: string): Counts {
  const now = counts(flags)
  return Object.fromEntries(NAMES.map((name) => [name, now[name] - before[name]])) as Counts
}

class Client {
  readonly socket = connect(PORT, HOST)
  received = 0

  constructor() {
    sockets.push(this.socket)
    this.socket.on('error', () => {})
    this.socket.on('data', (data) => {
      this.received += data.length
    })
  }

  /** Sends, and waits for as many answers as were asked for. */
  async ask(text: string): Promise<void> {
    const wanted = this.received + (text.split('?').length - 1) * ANSWER.length
    this.socket.write(text)
    await eventually(() => expect(this.received).toBe(wanted))
  }

  async end(): Promise<void> {
    const closed = new Promise((resolve) => this.socket.once('close', resolve))
    this.socket.end()
    await closed
  }
}

test('connections that are over are counted to the byte', async () => {
  const before = counts()
  for (let i = 1; i <= 5; i++) {
    const client = new Client()
    await client.ask(`${'x'.repeat(i)}${'?'.repeat(i)}`)
    await client.end()
  }
  await eventually(() =>
    expect(since(before)).toEqual({
      connections_opened: 5,
      connections_closed: 5,
      received_bytes: 2 * (1 + 2 + 3 + 4 + 5),
      sent_bytes: 15 * ANSWER.length,
    }),
  )
})

test('an open connection is opened at once, and its bytes are told at each interval, none twice', async () => {
  const before = counts()
  const client = new Client()
  await client.ask('?')
  const opened = { connections_opened: 1, connections_closed: 0, received_bytes: 0, sent_bytes: 0 }
  expect(since(before)).toEqual(opened)
  clock.advance(REPORT_MS - 1)
  expect(since(before)).toEqual(opened)
  clock.advance(1)
  expect(since(before)).toEqual({ ...opened, received_bytes: 1, sent_bytes: ANSWER.length })
  clock.advance(REPORT_MS)
  expect(since(before)).toEqual({ ...opened, received_bytes: 1, sent_bytes: ANSWER.length })
  await client.ask('y??')
  clock.advance(REPORT_MS)
  expect(since(before)).toEqual({ ...opened, received_bytes: 4, sent_bytes: 3 * ANSWER.length })
  await client.ask('?')
  await client.end()
  const over = { connections_opened: 1, connections_closed: 1, received_bytes: 5, sent_bytes: 4 * ANSWER.length }
  await eventually(() => expect(since(before)).toEqual(over))
  clock.advance(3 * REPORT_MS)
  expect(since(before)).toEqual(over)
})

test('labels say that it is TCP, and nothing of an answer', () => {
  const [opened] = agent.planes.metrics.all().filter(({ name }) => name === 'istio_tcp_connections_opened_total')
  expect(opened?.labels).toMatchObject({ reporter: 'source', request_protocol: 'tcp', response_flags: '-' })
  expect(opened?.labels).not.toHaveProperty('response_code')
})

test('one that comes to nothing is opened and closed, with the flag that says why', async () => {
  await new Promise<void>((resolve) => {
    upstream.close(() => resolve())
  })
  const before = counts('UF')
  const client = new Client()
  await new Promise((resolve) => client.socket.once('close', resolve))
  await eventually(() =>
    expect(since(before, 'UF')).toEqual({
      connections_opened: 1,
      connections_closed: 1,
      received_bytes: 0,
      sent_bytes: 0,
    }),
  )
})
