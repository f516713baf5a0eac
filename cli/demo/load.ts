import { Agent, request } from 'node:http'
import type { Clock, Timer } from '../../lib/clock.ts'
import type { Endpoint } from './addresses.ts'
import type { Sample, Sender } from './statistics.ts'

export interface LoadOptions {
  clock: Clock
  target: Endpoint
  path: string
  ratePerS: number
  /** The cookie of a signed-in test user. */
  testUserCookie: string
  /** One request in so many is a test user's. */
  testUserEvery: number
}

const TIMEOUT_MS = 3000
/**
 * So many requests wait for their answers at most. A machine too slow for the rate would else gather a queue until
 * requests time out, which says nothing about the mesh.
 */
const MAX_PENDING = 64

/**
 * Requests at a steady rate, whether or not earlier ones were answered: a slow answer does not spare the mesh the next
 * request, and is measured from when the request was due. Only when `MAX_PENDING` wait is the rest put off.
 */
export class Load {
  /** In the order in which they ended. */
  readonly samples: Sample[] = []
  readonly #options: LoadOptions
  readonly #agent = new Agent({ keepAlive: true })
  readonly #pending = new Set<number>()
  #startedMs = 0
  #sent = 0
  /** How much later than first planned the next requests are due. */
  #putOffMs = 0
  #isFull = false
  #timer: Timer | undefined

  constructor(options: LoadOptions) {
    this.#options = options
  }

  start(): void {
    this.#startedMs = this.#options.clock.nowMs()
    this.#tick()
  }

  /** Sends no more. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#isFull = false
  }

  /** For how long requests were put off so far, because as many as may be had no answer yet. */
  get putOffMs(): number {
    return this.#putOffMs
  }

  /** Whether every request that was sent before this time has ended. */
  hasEndedBefore(timeMs: number): boolean {
    for (const sentMs of this.#pending) if (sentMs < timeMs) return false
    return true
  }

  close(): void {
    this.stop()
    this.#agent.destroy()
  }

  /** When the next request is due. */
  get #dueMs(): number {
    return this.#startedMs + this.#putOffMs + (this.#sent * 1000) / this.#options.ratePerS
  }

  #tick(): void {
    const { clock } = this.#options
    for (;;) {
      const dueMs = this.#dueMs
      const waitMs = dueMs - clock.nowMs()
      if (waitMs > 0) {
        this.#timer = clock.setTimer(waitMs, () => this.#tick())
        return
      }
      if (this.#pending.size >= MAX_PENDING) {
        this.#isFull = true
        return
      }
      this.#send(dueMs)
    }
  }

  /** Goes on with the requests that an answer has made room for; the time that they waited is left out of the plan. */
  #goOn(): void {
    this.#isFull = false
    this.#putOffMs += this.#options.clock.nowMs() - this.#dueMs
    this.#tick()
  }

  #send(sentMs: number): void {
    const { clock, target, path, testUserCookie, testUserEvery } = this.#options
    const sender: Sender = this.#sent % testUserEvery === 0 ? 'test users' : 'others'
    this.#sent++
    this.#pending.add(sentMs)
    const end = (version: string, error: string) => {
      if (!this.#pending.delete(sentMs)) return
      this.samples.push({ sender, sentMs, doneMs: clock.nowMs(), version, error })
      if (this.#isFull) this.#goOn()
    }
    const headers = sender === 'test users' ? { cookie: testUserCookie } : {}
    const outgoing = request({ ...target, path, headers, agent: this.#agent, timeout: TIMEOUT_MS })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    outgoing.on('error', (error) => end('', error.message))
    outgoing.on('response', (incoming) => {
      let body = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => {
        body += chunk
      })
      incoming.on('error', (error) => end('', error.message))
      incoming.on('end', () => {
        const version = incoming.statusCode === 200 ? versionOf(body) : ''
        end(version, version === '' ? `status ${incoming.statusCode}: ${body.slice(0, 200).trim()}` : '')
      })
    })
    outgoing.end()
  }
}

function versionOf(body: string): string {
  try {
    const { version } = JSON.parse(body) as { version?: unknown }
    return typeof version === 'string' ? version : ''
  } catch {
    return ''
  }
}
