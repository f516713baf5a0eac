import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server that is well, answers badly, or is not there, as a test has it. */
export class Backend {
  port = 0
  status = 200
  /** Fields of its answers. */
  headers: Record<string, string> = {}
  #server: Server | undefined

  async open(): Promise<void> {
    const server = createServer((_request, response) => {
      response.writeHead(this.status, { 'x-port': String(this.port), ...this.headers })
      response.end()
    })
    this.#server = server
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve))
    this.port = (server.address() as AddressInfo).port
  }

  /** Its port is closed, and so are its connections. */
  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    server?.closeAllConnections()
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())))
  }
}
