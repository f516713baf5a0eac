import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Address } from './spec.ts'

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a service answers; undefined when it knows no such path. */
export type Handler = (request: IncomingMessage, url: URL) => Promise<Reply | undefined> | Reply | undefined

/** Longer than callers keep a connection idle, so that it is they who close it. */
const KEEP_ALIVE_MS = 75_000
const MAX_BODY_BYTES = 4096

export function json(value: unknown, status = 200): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(value)}\n` }
}

export function redirect(location: string, headers: Record<string, string> = {}): Reply {
  return { status: 303, headers: { location, ...headers }, body: '' }
}

/** One service: its handler behind HTTP, with `GET /health`. */
export class App {
  readonly #server: Server
  readonly #handler: Handler

  constructor(handler: Handler) {
    this.#handler = handler
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, async (request, response) => {
      const { status, headers, body } = await this.#answer(request)
      response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
    })
  }

  /** Resolves to the port. */
  listen({ host, port }: Address): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, () => resolve((this.#server.address() as AddressInfo).port))
    })
  }

  /** Takes no more connections, and resolves when the requests under way are answered. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  async #answer(request: IncomingMessage): Promise<Reply> {
    try {
      const url = new URL(request.url ?? '/', 'http://app')
      if (url.pathname === '/health') return json({ status: 'healthy' })
      return (await this.#handler(request, url)) ?? json({ error: `no such path: ${url.pathname}` }, 404)
    } catch (thrown) {
      console.error(thrown)
      return json({ error: 'this failed, and it is not your fault' }, 500)
    }
  }
}

/** The fields of a posted HTML form; undefined when it is larger than any form of ours. */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  let text = ''
  request.setEncoding('utf8')
  for await (const chunk of request) {
    text += chunk
    if (text.length > MAX_BODY_BYTES) return undefined
  }
  return new URLSearchParams(text)
}
