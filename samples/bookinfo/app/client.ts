import { Agent, request } from 'node:http'
import type { Address } from './spec.ts'

/** What another service answered. `status` is 0 when nothing came back. */
export interface Answer {
  readonly status: number
  /** The body as JSON; undefined when there is none. */
  readonly value: unknown
}

const NO_ANSWER: Answer = { status: 0, value: undefined }
const PORT = 9080
const TIMEOUT_MS = 3000

/** Calls `http://SERVICE:9080` over connections that are kept. */
export class Client {
  readonly #agent = new Agent({ keepAlive: true })
  readonly #via: Address | undefined

  /** With `via`, every call goes to that address, and only its Host header names the service. */
  constructor(via: Address | undefined) {
    this.#via = via
  }

  async get(service: string, path: string, headers: Record<string, string>): Promise<Answer> {
    try {
      return await this.#send(service, path, headers)
    } catch (thrown) {
      // A kept connection may be closed by the other side just as it is used again: nothing was done then.
      if (!(thrown instanceof ReusedConnectionError)) return NO_ANSWER
      return this.#send(service, path, headers).catch(() => NO_ANSWER)
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  #send(service: string, path: string, headers: Record<string, string>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { host, port } = this.#via ?? { host: service, port: PORT }
      const outgoing = request({
        host,
        port,
        path,
        agent: this.#agent,
        headers: { host: `${service}:${PORT}`, ...headers },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      outgoing.on('response', (incoming) => {
        let text = ''
        incoming.setEncoding('utf8')
        incoming.on('data', (chunk: string) => {
          text += chunk
        })
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, value: parse(text) }))
        incoming.on('error', reject)
      })
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        const isStale = outgoing.reusedSocket && error.code === 'ECONNRESET'
        reject(isStale ? new ReusedConnectionError(error.message) : error)
      })
      outgoing.end()
    })
  }
}

class ReusedConnectionError extends Error {}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
