import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'

/**
 * Greets each connection with its name and a line feed, then says back what it gets. When the client has said all, it
 * says `bye` and closes: half-closed connections are told from cut ones.
 */
export class LineServer {
  readonly name: string
  connections = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(name: string, tls?: TlsOptions) {
    this.name = name
    const serve = (socket: Socket) => this.#serve(socket)
    this.#server =
      tls === undefined
        ? createServer({ allowHalfOpen: true }, serve)
        : createTlsServer({ ...tls, allowHalfOpen: true } as TlsOptions, serve)
  }

  /** Resolves to its port on 127.0.0.1. */
  listen(port = 0, host = '127.0.0.1'): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, () => resolve((this.#server.address() as { port: number }).port))
    })
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #serve(socket: Socket): void {
    this.connections++
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    socket.write(`${this.name}\n`)
    socket.on('data', (chunk) => socket.write(chunk))
    socket.on('end', () => socket.end('bye'))
  }
}
