import { createServer, type Server, type Socket } from 'node:net'

/** Servers that answer every request with their number, and read nothing of it but its end. */
export class Backends {
  readonly ports: number[] = []
  /** These answer 503, as fast as the others. */
  readonly failing = new Set<number>()
  /** Called with the number of a backend and what makes it answer, in the place of an answer. */
  hold: ((id: number, answer: () => void) => void) | undefined
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()

  async start(count: number): Promise<void> {
    for (let id = 0; id < count; id++) {
      const rest = `\r\nx-b: ${id}\r\ncontent-length: 0\r\n\r\n`
      const server = createServer((socket) => {
        this.#sockets.add(socket)
        let tail = ''
        socket.on('data', (chunk) => {
          const text = tail + chunk.toString('latin1')
          const heads = text.split('\r\n\r\n')
          tail = heads[heads.length - 1] as string
          const status = this.failing.has(id) ? '503 Service Unavailable' : '200 OK'
          const answer = () => socket.write(`HTTP/1.1 ${status}${rest}`.repeat(heads.length - 1))
          if (this.hold === undefined) answer()
          else if (heads.length > 1) this.hold(id, answer)
        })
        socket.on('error', () => {})
        socket.on('close', () => this.#sockets.delete(socket))
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      this.#servers.push(server)
      this.ports.push((server.address() as { port: number }).port)
    }
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy()
    for (const server of this.#servers) server.close()
  }
}
