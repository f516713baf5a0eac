import { createServer, type Server, type ServerResponse } from 'node:http'
import { errorText } from '../../lib/errors.ts'
import { prometheusText } from '../../lib/metrics/exposition.ts'
import type { Mixer } from '../mixer.ts'

interface Page {
  contentType: string
  body: string
}

/** Health, metrics, and what is configured. Read only. */
const ROUTES: Readonly<Record<string, (mixer: Mixer) => Page | Promise<Page>>> = {
  '/healthz': () => ({ contentType: 'text/plain; charset=UTF-8', body: 'ok\n' }),
  '/metrics': async (mixer) => ({
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    body: await metrics(mixer),
  }),
  '/debug/config': (mixer) => ({
    contentType: 'application/json',
    body: `${JSON.stringify(configOf(mixer), null, 1)}\n`,
  }),
}

/** The mixer's own, and those that its handlers keep for the mesh. */
async function metrics(mixer: Mixer): Promise<string> {
  const own = await prometheusText(mixer.metrics, { namePrefix: 'mixer_', labelPrefix: '' })
  const ofHandlers = await Promise.all(mixer.handlers.map((handler) => handler.exposition?.() ?? ''))
  return [own, ...ofHandlers].filter((text) => text !== '').join('\n')
}

function configOf(mixer: Mixer): object {
  const { model, generation } = mixer
  return {
    generation,
    rootNamespace: model.rootNamespace,
    handlers: [...model.handlers].map(([key, { adapter }]) => ({ key, adapter: adapter.name })),
    instances: [...model.instances].map(([key, { template }]) => ({ key, template: template.name })),
    rules: model.rules.map(({ name, namespace, object, actions }) => ({
      name,
      namespace,
      file: object.origin.file,
      line: object.origin.line,
      actions: actions.map(({ handler, instances }) => ({
        handler: handler.key,
        instances: instances.map(({ key }) => key),
      })),
    })),
    findings: mixer.findings(),
  }
}

export class MixerHttpServer {
  readonly #mixer: Mixer
  readonly #server: Server

  constructor(mixer: Mixer) {
    this.#mixer = mixer
    this.#server = createServer((request, response) => {
      request.resume()
      void this.#answer(new URL(request.url ?? '/', 'http://mixer').pathname, response)
    })
  }

  /** `host:port`; port 0 takes a free one. Returns the port. */
  listen(address: string): Promise<number> {
    const colon = address.lastIndexOf(':')
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(Number(address.slice(colon + 1)), address.slice(0, colon), () => {
        const bound = this.#server.address()
        resolve(typeof bound === 'object' && bound !== null ? bound.port : 0)
      })
    })
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  async #answer(path: string, response: ServerResponse): Promise<void> {
    const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined
    try {
      if (route === undefined) {
        response.writeHead(404, { 'content-type': 'text/plain' }).end(`paths: ${Object.keys(ROUTES).join(' ')}\n`)
        return
      }
      const { contentType, body } = await route(this.#mixer)
      response.writeHead(200, { 'content-type': contentType, 'x-content-type-options': 'nosniff' }).end(body)
    } catch (thrown) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`${errorText(thrown)}\n`)
    }
  }
}
