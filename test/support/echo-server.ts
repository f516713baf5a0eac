import { createServer, type Server } from 'node:http'
import type { RawResponse } from './raw-http.ts'

/** What an echo server says it received. */
export interface Echo {
  server: string
  method: string
  path: string
  headers: Record<string, string>
  body: string
}

/** What an echo server said in this response; undefined when it said nothing, as to a HEAD. */
export function echoOf(response: RawResponse): Echo | undefined {
  if (response.headers['content-type'] !== 'application/json' || response.body === '') return undefined
  return JSON.parse(response.body) as Echo
}

/** Answers every request with what it received. Counts the requests by path, for mirrors. */
export class EchoServer {
  readonly name: string
  readonly seen: string[] = []
  readonly #server: Server

  constructor(name: string) {
    this.name = name
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        this.seen.push(request.url ?? '')
        const headers: Record<string, string> = {}
        for (let i = 0; i < request.rawHeaders.length; i += 2) {
          const key = (request.rawHeaders[i] as string).toLowerCase()
          const value = request.rawHeaders[i + 1] as string
          headers[key] = headers[key] === undefined ? value : `${headers[key]},${value}`
        }
        const echo: Echo = {
          server: name,
          method: request.method ?? '',
          path: request.url ?? '',
          headers,
          body: Buffer.concat(chunks).toString('latin1'),
        }
        response.setHeader('content-type', 'application/json')
        response.setHeader('x-from-upstream', name)
        response.setHeader('x-remove-me', 'upstream')
        response.end(JSON.stringify(echo))
      })
    })
  }

  listen(port: number, host: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, () => resolve())
    })
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
