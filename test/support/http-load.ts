import { Agent, request } from 'node:http'

export interface LoadRequest {
  host: string
  path: string
  headers?: Record<string, string>
}

/** What became of a number of requests. */
export interface LoadCounts {
  /** By the name that the echo server gives itself. */
  byServer: Record<string, number>
  /** `status 503 ...` or the error of the connection, one for each request that did not get 200. */
  errors: string[]
}

const CONNECTIONS = 8

/** Sends requests over a few kept connections, and counts who answered. */
export class HttpLoad {
  readonly #address: string
  readonly #port: number
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })

  constructor(address: string, port: number) {
    this.#address = address
    this.#port = port
  }

  /** `next` makes the i-th request. */
  async run(count: number, next: (i: number) => LoadRequest): Promise<LoadCounts> {
    const counts: LoadCounts = { byServer: {}, errors: [] }
    let sent = 0
    const worker = async () => {
      while (sent < count) await this.one(next(sent++), counts)
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, worker))
    return counts
  }

  /** Sends one, and adds what became of it to `counts`. */
  one({ host, path, headers }: LoadRequest, counts: LoadCounts): Promise<void> {
    return new Promise((resolve) => {
      const failed = (error: Error) => {
        counts.errors.push(error.message)
        resolve()
      }
      const sent = request(
        { host: this.#address, port: this.#port, path, agent: this.#agent, headers: { host, ...headers } },
        (response) => {
          let body = ''
          response.setEncoding('latin1').on('data', (chunk: string) => {
            body += chunk
          })
          response.on('error', failed)
          response.on('end', () => {
            const server = String(response.headers['x-from-upstream'])
            if (response.statusCode !== 200) counts.errors.push(`status ${response.statusCode} ${body}`)
            else counts.byServer[server] = (counts.byServer[server] ?? 0) + 1
            resolve()
          })
        },
      )
      sent.on('error', failed)
      sent.end()
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
