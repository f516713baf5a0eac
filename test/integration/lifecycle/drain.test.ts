import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeAll, expect, test } from '@jest/globals'
import { systemRandom } from '../../../lib/random.ts'
import { builtCli } from '../../e2e/built.ts'
import { eventually } from '../../support/eventually.ts'
import { canConnect, loopbackBlock } from '../../support/mesh.ts'
import { forwardingBootstrap } from '../../support/static-resources.ts'

/** SIGTERM under load: every request that was sent is answered, whole, and the process ends. */

const CONNECTIONS = 5_000
const PAUSE_MS = 1_000
const HOST = `${loopbackBlock()}.9`
const PORT = 9080

let cli = ''
let proxy: ChildProcess | undefined
let upstream: Server | undefined
let dir = ''

beforeAll(() => {
  cli = builtCli()
}, 60_000)

afterEach(() => {
  proxy?.kill('SIGKILL')
  upstream?.close()
  upstream?.closeAllConnections()
  rmSync(dir, { recursive: true, force: true })
})

async function start(workers: number): Promise<void> {
  upstream = createServer((_request, response) => response.end('ok'))
  upstream.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => upstream?.listen({ port: 0, host: HOST, backlog: 4096 }, resolve))
  const { port } = upstream.address() as { port: number }
  dir = mkdtempSync(join(tmpdir(), 'lateen-drain-'))
  writeFileSync(
    join(dir, 'proxy.yaml'),
    forwardingBootstrap({ host: HOST, port: PORT, upstreamPort: port, limit: 6000 }),
  )
  const args = ['proxy', '-c', join(dir, 'proxy.yaml'), '--workers', String(workers), '--drain-time-s', '8']
  proxy = spawn(process.execPath, [cli, ...args], { stdio: 'ignore' })
  await eventually(() => canConnect(HOST, PORT))
}

/** Spread out, so that at any time some requests are under way and some connections are idle. */
const pauseMs = () => PAUSE_MS * (0.5 + systemRandom.next())

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

interface Counts {
  answered: number
  toldToClose: number
  /** What became of requests that got no whole answer. */
  failures: string[]
}

/** One connection that asks again and again until it is told to close. */
class Asker {
  readonly #counts: Counts
  readonly #socket: Socket
  #received = ''
  #isWaiting = false
  isOver = false

  constructor(counts: Counts, onConnected: () => void) {
    this.#counts = counts
    this.#socket = connect(PORT, HOST, onConnected)
    this.#socket.on('data', (chunk) => this.#onData(chunk.toString('latin1')))
    this.#socket.on('error', (error) => this.#onEnd(error.message))
    this.#socket.on('close', () => this.#onEnd('closed'))
  }

  ask(): void {
    if (this.isOver) return
    this.#isWaiting = true
    this.#socket.write(REQUEST)
  }

  #onData(text: string): void {
    this.#received += text
    if (!this.#received.endsWith('ok')) return
    if (!this.#received.startsWith('HTTP/1.1 200 ')) this.#counts.failures.push(this.#received.slice(0, 40))
    this.#isWaiting = false
    this.#counts.answered++
    if (/^connection: close\r$/im.test(this.#received)) {
      this.#counts.toldToClose++
      this.isOver = true
      this.#socket.end()
    } else setTimeout(() => this.ask(), pauseMs())
    this.#received = ''
  }

  #onEnd(reason: string): void {
    if (this.#isWaiting) this.#counts.failures.push(reason)
    this.#isWaiting = false
    this.isOver = true
  }
}

test.each([0, 2])(
  `no request of ${CONNECTIONS} connections fails when %i workers are told to end`,
  async (workers) => {
    await start(workers)
    const counts: Counts = { answered: 0, toldToClose: 0, failures: [] }
    const askers: Asker[] = []
    while (askers.length < CONNECTIONS) {
      const connected = Array.from(
        { length: Math.min(250, CONNECTIONS - askers.length) },
        () =>
          new Promise<void>((resolve) => {
            askers.push(new Asker(counts, resolve))
          }),
      )
      await Promise.all(connected)
    }
    for (const asker of askers) setTimeout(() => asker.ask(), pauseMs())
    await eventually(() => expect(counts.answered).toBeGreaterThan(CONNECTIONS))
    const exited = new Promise<number | null>((resolve) => proxy?.once('exit', resolve))
    proxy?.kill('SIGTERM')
    expect(await exited).toBe(0)
    await pause(100)
    expect(counts.failures).toEqual([])
    expect(counts.toldToClose).toBe(CONNECTIONS)
    expect(askers.every((asker) => asker.isOver)).toBe(true)
  },
  60_000,
)
