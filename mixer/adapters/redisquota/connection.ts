import type { RedisClientType } from '@redis/client'
import { errorText } from '../../../lib/errors.ts'
import type { HandlerEnvironment } from '../adapter.ts'
import { TAKE_SCRIPT, TAKE_SHA } from './script.ts'

const CONNECT_TIMEOUT_MS = 2_000
const COMMAND_TIMEOUT_MS = 1_000
const FIRST_RETRY_MS = 50
const MAX_RETRY_MS = 2_000

/** One connection to Redis, over which commands follow each other without waiting; opened again whenever it is lost. */
export class RedisConnection {
  readonly #environment: HandlerEnvironment
  #client: RedisClientType | undefined
  #problem = 'not connected yet'
  #closed = false
  readonly #opening: Promise<void>

  /** `redis://...`, or `host:port`. */
  constructor(url: string, environment: HandlerEnvironment) {
    this.#environment = environment
    this.#opening = this.#open(url.includes('://') ? url : `redis://${url}`)
  }

  /** What the script returns. Fails at once where there is no connection: the proxy's fail mode says what then. */
  async take(keys: readonly string[], args: readonly string[]): Promise<readonly [number, number, number]> {
    if (this.#client === undefined) await this.#opening
    const client = this.#client
    if (client?.isReady !== true) throw new Error(`Redis: ${this.#problem}`)
    const rest = [String(keys.length), ...keys, ...args]
    try {
      return (await client.sendCommand(['EVALSHA', TAKE_SHA, ...rest])) as unknown as [number, number, number]
    } catch (thrown) {
      if (!errorText(thrown).startsWith('NOSCRIPT')) throw thrown
      return (await client.sendCommand(['EVAL', TAKE_SCRIPT, ...rest])) as unknown as [number, number, number]
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#opening
    this.#client?.destroy()
  }

  /** Resolved when it was tried once. */
  async #open(url: string): Promise<void> {
    const { createClient } = await import('@redis/client')
    if (this.#closed) return
    const client = createClient({
      url,
      disableOfflineQueue: true,
      commandOptions: { timeout: COMMAND_TIMEOUT_MS },
      socket: {
        connectTimeout: CONNECT_TIMEOUT_MS,
        reconnectStrategy: (retries) => Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(retries, 10)),
      },
    }) as unknown as RedisClientType
    this.#client = client
    const { log, key, metrics } = this.#environment
    const tried = new Promise<void>((resolve) => {
      client.on('ready', () => {
        if (this.#problem !== '') log.info('connected to Redis', { handler: key })
        this.#problem = ''
        resolve()
      })
      client.on('error', (error: unknown) => {
        const problem = errorText(error) || String((error as { code?: string }).code)
        if (problem !== this.#problem) log.warning('Redis cannot be asked', { handler: key, problem })
        this.#problem = problem
        metrics.counter('redisquota_connection_errors_total').inc()
        resolve()
      })
    })
    client.connect().catch(() => {})
    await tried
  }
}
