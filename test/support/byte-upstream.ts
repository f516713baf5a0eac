import { createServer, type Server, type Socket } from 'node:net'

/** Says something to what came on one connection so far. Called whenever more has come. */
export type Respond = (socket: Socket, received: string, upstream: ByteUpstream) => void

/** Answers each request that is complete with 200 and `ok`. It believes what it is told: good requests only. */
export const answerEachRequest: Respond = (socket, received, upstream) => {
  const complete = countRequests(received)
  for (let i = upstream.answeredOn(socket); i < complete; i++) {
    upstream.noteAnswer(socket)
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  }
}

function countRequests(text: string): number {
  let count = 0
  for (let at = 0; ; count++) {
    const headEnd = text.indexOf('\r\n\r\n', at)
    if (headEnd < 0) return count
    const head = text.slice(at, headEnd + 2)
    at = headEnd + 4
    if (/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) {
      const last = /(^|\r\n)0\r\n(?:[^\r]+\r\n)*\r\n/.exec(text.slice(at))
      if (last === null) return count
      at += last.index + last[0].length
    } else at += Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
    if (at > text.length) return count
  }
}

/** A server that speaks no protocol: it keeps every byte that reaches it, and says what it is told to. */
export class ByteUpstream {
  /** What came, one text for each connection. */
  readonly received: string[] = []
  respond: Respond
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #answered = new Map<Socket, number>()

  constructor(respond: Respond = answerEachRequest) {
    this.respond = respond
    this.#server = createServer((socket) => this.#serve(socket))
  }

  get text(): string {
    return this.received.join('')
  }

  get openConnections(): number {
    return this.#sockets.size
  }

  forget(): void {
    this.received.fill('')
  }

  answeredOn(socket: Socket): number {
    return this.#answered.get(socket) ?? 0
  }

  noteAnswer(socket: Socket): void {
    this.#answered.set(socket, this.answeredOn(socket) + 1)
  }

  /** Resolves to its port on 127.0.0.1. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as { port: number }).port))
    })
  }

  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): void {
    this.#server.close()
    this.cutConnections()
  }

  #serve(socket: Socket): void {
    const index = this.received.push('') - 1
    let received = ''
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#answered.delete(socket)
    })
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1')
      received += text
      this.received[index] += text
      this.respond(socket, received, this)
    })
  }
}
