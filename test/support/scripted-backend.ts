import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a try met. */
export interface SeenTry {
  readonly attemptCount: string | undefined
  readonly expectedTimeoutMs: string | undefined
}

/** The end of a try that takes longer than every time-out. */
const SLOW_MS = 1500

/**
 * A server that does with each try of a case what the case's script says, the last word for all that follow. A case is named
 * by `x-case` and brings its script in `x-script`, words with commas between them:
 *
 *   503                     that status            limited:503:2   with x-envoy-ratelimited and retry-after
 *   grpc:14                 that grpc-status, in the head           after:503:2     with retry-after alone
 *   marked:200              with x-retry-me        reset           the connection ends before any answer
 *   cut                     ends in the middle of the answer        slow            an answer that comes much too late
 *   slow-body               a head at once, and its body much too late
 */
export class ScriptedBackend {
  readonly #server: Server
  readonly #seen = new Map<string, SeenTry[]>()
  total = 0

  constructor() {
    this.#server = createServer((request, response) => this.#serve(request, response))
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  tries(name: string): readonly SeenTry[] {
    return this.#seen.get(name) ?? []
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    request.resume()
    this.total++
    const { 'x-case': name = '', 'x-script': script = '200' } = request.headers as Record<string, string>
    const seen = this.#seen.get(name) ?? []
    this.#seen.set(name, seen)
    const words = script.split(',')
    const word = words[Math.min(seen.length, words.length - 1)] as string
    seen.push({
      attemptCount: request.headers['x-envoy-attempt-count'] as string | undefined,
      expectedTimeoutMs: request.headers['x-envoy-expected-rq-timeout-ms'] as string | undefined,
    })
    answer(request, response, word, `${word}#${seen.length}`)
  }
}

function answer(request: IncomingMessage, response: ServerResponse, word: string, body: string): void {
  const [kind = '', value = '', seconds = ''] = word.split(':')
  switch (kind) {
    case 'reset':
      request.socket.destroy()
      return
    case 'cut':
      response.writeHead(200, { 'content-length': '100' })
      response.write('part', () => setImmediate(() => request.socket.destroy()))
      return
    case 'slow':
      setTimeout(() => response.end(body), SLOW_MS).unref()
      return
    case 'slow-body':
      response.writeHead(200, { 'content-length': String(body.length) }).flushHeaders()
      setTimeout(() => response.end(body), SLOW_MS).unref()
      return
    case 'grpc':
      response.writeHead(200, { 'content-type': 'application/grpc', 'grpc-status': value, 'content-length': '0' }).end()
      return
    case 'limited':
      response.writeHead(Number(value), { 'x-envoy-ratelimited': 'true', 'retry-after': seconds }).end(body)
      return
    case 'after':
      response.writeHead(Number(value), { 'retry-after': seconds }).end(body)
      return
    case 'marked':
      response.writeHead(Number(value), { 'x-retry-me': 'yes' }).end(body)
      return
    default:
      response.writeHead(Number(kind)).end(body)
  }
}
