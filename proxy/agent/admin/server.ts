import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { errorText } from '../../../lib/errors.ts'
import type { Agent } from '../agent.ts'
import { ADMIN_ROUTES, type AdminReply } from './routes.ts'

/** Envoy's administration interface: off the data path, so node:http does. Bind it to loopback only. */
export class AdminServer {
  readonly #agent: Agent
  readonly #address: string
  readonly #port: number
  readonly #server: Server

  constructor(agent: Agent, address: string, port: number) {
    this.#agent = agent
    this.#address = address
    this.#port = port
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((thrown) => {
        send(response, { status: 500, body: `${errorText(thrown)}\n` })
      })
    })
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, this.#address, () => resolve())
    })
  }

  /** The port that is listened on, which differs from the configured one when that is 0. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : this.#port
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    const url = new URL(request.url ?? '/', 'http://admin')
    const route = ADMIN_ROUTES.find((r) => r.path === url.pathname)
    if (route === undefined) {
      send(response, { status: 404, body: 'invalid path. See /help\n' })
    } else if (route.mutates && request.method !== 'POST') {
      // As in Envoy: a link or an image must not change a proxy.
      send(response, { status: 400, body: `Invalid request: ${url.pathname} needs POST\n` })
    } else send(response, await route.answer(this.#agent, url.searchParams))
  }
}

function send(response: ServerResponse, reply: AdminReply): void {
  response.writeHead(reply.status ?? 200, {
    'content-type': reply.contentType ?? 'text/plain; charset=UTF-8',
    'cache-control': 'no-cache, max-age=0',
    'x-content-type-options': 'nosniff',
  })
  response.end(reply.body)
}
