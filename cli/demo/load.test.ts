import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from '@jest/globals'
import { type Clock, ManualClock, systemClock } from '../../lib/clock.ts'
import { Load } from './load.ts'

let server: Server | undefined
let load: Load | undefined

afterEach(() => {
  load?.close()
  server?.closeAllConnections()
  server?.close()
})

async function start(answer: Parameters<typeof createServer>[1], clock: Clock = systemClock): Promise<Load> {
  server = createServer(answer)
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  load = new Load({
    clock,
    target: { host: '127.0.0.1', port },
    path: '/',
    ratePerS: 200,
    testUserCookie: 'session=1',
    testUserEvery: 4,
  })
  load.start()
  return load
}

async function drain(load: Load): Promise<void> {
  load.stop()
  while (!load.hasEndedBefore(Number.POSITIVE_INFINITY)) await pause(5)
}

test('slow answers do not slow the load, and are counted whole', async () => {
  const load = await start((_request, response) => {
    setTimeout(() => response.end('{"version":"v1"}'), 150)
  })
  await pause(500)
  await drain(load)
  // 101 are due; a stalled machine sends the rest late, and never more.
  expect(load.samples.length).toBeGreaterThanOrEqual(90)
  expect(load.samples.every(({ error, version }) => error === '' && version === 'v1')).toBe(true)
  expect(load.samples.every(({ sentMs, doneMs }) => doneMs - sentMs >= 149)).toBe(true)
})

test('no more than 64 wait for an answer; the rest is put off', async () => {
  const clock = new ManualClock()
  const waiting: (() => void)[] = []
  const load = await start((_request, response) => {
    waiting.push(() => response.end('{"version":"v1"}'))
  }, clock)
  // One is due every 5 ms: the 65th at 320 ms.
  clock.advance(365)
  while (waiting.length < 64) await pause(5)
  expect(waiting).toHaveLength(64)
  expect(load.putOffMs).toBe(0)
  for (const answer of waiting.splice(0)) answer()
  while (load.samples.length < 64) await pause(5)
  expect(load.putOffMs).toBe(45)
  // What was due meanwhile does not come at once, nor later.
  clock.advance(10)
  while (waiting.length < 3) await pause(5)
  expect(waiting).toHaveLength(3)
  for (const answer of waiting.splice(0)) answer()
  await drain(load)
  expect(load.samples).toHaveLength(67)
})

test('one in so many is the test user', async () => {
  const load = await start((request, response) => {
    response.end(JSON.stringify({ version: request.headers.cookie === 'session=1' ? 'v2' : 'v1' }))
  })
  await pause(200)
  await drain(load)
  const testers = load.samples.filter(({ sender }) => sender === 'test users')
  expect(testers.length).toBe(Math.ceil(load.samples.length / 4))
  expect(load.samples.every(({ sender, version }) => (sender === 'test users') === (version === 'v2'))).toBe(true)
})

test('whatever is not 200 with a version is an error', async () => {
  const answers = [
    { status: 503, body: 'no healthy upstream' },
    { status: 200, body: 'not json' },
    { status: 200, body: '{"version":"v1"}' },
  ]
  let next = 0
  const load = await start((request, response) => {
    const answer = answers[next++]
    if (answer === undefined) request.socket.destroy()
    else response.writeHead(answer.status).end(answer.body)
  })
  await pause(100)
  await drain(load)
  const errors = load.samples.map(({ error }) => error)
  expect(errors.filter((error) => error === '')).toHaveLength(1)
  expect(errors).toContain('status 503: no healthy upstream')
  expect(errors).toContain('status 200: not json')
  expect(errors).toContain('socket hang up')
})
