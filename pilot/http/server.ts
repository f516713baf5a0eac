import { createServer, type Server, type ServerResponse } from 'node:http'
import { errorText } from '../../lib/errors.ts'
import type { Pilot } from '../pilot.ts'
import { certz } from './certz.ts'
import { metricsText } from './exposition.ts'
import { syncz } from './syncz.ts'

type Answer = (
  pilot: Pilot,
  query: URLSearchParams,
) => { contentType: string; body: string } | Promise<{ contentType: string; body: string }>

/** The pilot's own pages: health, metrics and what it knows. Read only. */
const ROUTES: Record<string, Answer> = {
  '/ready': () => text('ready\n'),
  '/metrics': async (pilot) => ({
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    body: await metricsText(pilot),
  }),
  '/debug/syncz': (pilot) => json(syncz(pilot)),
  '/debug/findings': (pilot) => json(pilot.findings()),
  '/debug/config': (pilot) => json({ generation: pilot.publisher.generation, findings: pilot.findings() }),
  '/debug/certz': (pilot) => json(certz(pilot) ?? { error: 'this pilot has no certificate authority' }),
  '/debug/jwks': (pilot) => json(pilot.jwks.status()),
  '/debug/node': (pilot, query) => json(describe(pilot, query.get('id') ?? '')),
}

function text(body: string) {
  return { contentType: 'text/plain; charset=UTF-8', body }
}

function json(value: unknown) {
  return { contentType: 'application/json', body: `${JSON.stringify(value, null, 1)}\n` }
}

/** What a connected proxy is given, by its node id. */
function describe(pilot: Pilot, id: string): unknown {
  for (const stream of pilot.xds.streams) if (stream.node.id === id) return pilot.publisher.describe(stream.node)
  return { error: `no proxy ${JSON.stringify(id)} is connected` }
}

export class PilotHttpServer {
  readonly #pilot: Pilot
  readonly #host: string
  readonly #port: number
  readonly #server: Server

  constructor(pilot: Pilot, address: string) {
    this.#pilot = pilot
    const colon = address.lastIndexOf(':')
    this.#host = address.slice(0, colon)
    this.#port = Number(address.slice(colon + 1))
    this.#server = createServer((request, response) => {
      request.resume()
      void this.#answer(new URL(request.url ?? '/', 'http://pilot'), response)
    })
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, this.#host, () => resolve())
    })
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : this.#port
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  async #answer(url: URL, response: ServerResponse): Promise<void> {
    try {
      const route = ROUTES[url.pathname]
      if (route === undefined) {
        response.writeHead(404, { 'content-type': 'text/plain' }).end(`paths: ${Object.keys(ROUTES).join(' ')}\n`)
        return
      }
      const { contentType, body } = await route(this.#pilot, url.searchParams)
      response.writeHead(200, { 'content-type': contentType, 'x-content-type-options': 'nosniff' }).end(body)
    } catch (thrown) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`${errorText(thrown)}\n`)
    }
  }
}
