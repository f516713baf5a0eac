import { createServer, type Server } from 'node:http'
import { createServer as createHttp2, type Http2Server } from 'node:http2'
import { type AddressInfo, createServer as createTcp, type Socket, type Server as TcpServer } from 'node:net'

/** How a backend is: well, saying that it is not, silent, or not there. */
export type State = 'well' | 'bad' | 'retriable' | 'degraded' | 'immediate' | 'good immediate' | 'silent' | 'closed'
export type BackendKind = 'http1' | 'http2' | 'grpc' | 'tcp'

const STATUS: Partial<Record<State, number>> = { bad: 500, immediate: 500, retriable: 503 }
const GRPC_ANSWER = { well: 1, bad: 2 } as const

/** A backend that answers checks as its state has it, and counts them by who asks. */
export class CheckedBackend {
  readonly kind: BackendKind
  port = 0
  state: State = 'well'
  /** Answers to requests that are no checks say that it fails. */
  answersImmediate = false
  #server: Server | Http2Server | TcpServer | undefined
  readonly #sockets = new Set<Socket>()

  constructor(kind: BackendKind) {
    this.kind = kind
  }

  async set(state: State): Promise<void> {
    if (state === 'closed') await this.close()
    else if (this.state === 'closed') await this.open()
    this.state = state
  }

  async open(): Promise<void> {
    const server = this.#create()
    this.#server = server
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve))
    this.port = (server.address() as AddressInfo).port
  }

  #create(): Server | Http2Server | TcpServer {
    if (this.kind === 'tcp') return createTcp((socket) => this.#speakTcp(socket))
    if (this.kind === 'grpc') return this.#grpc()
    const answer = ({ url }: { url?: string }, response: Answering) => {
      if (this.state === 'silent') return
      if (this.state === 'degraded') response.setHeader('x-envoy-degraded', '1')
      if (this.state.endsWith('immediate') || (this.answersImmediate && url === '/data'))
        response.setHeader('x-envoy-immediate-health-check-fail', '1')
      response.statusCode = STATUS[this.state] ?? 200
      response.end('all is well')
    }
    return this.kind === 'http1' ? createServer(answer) : createHttp2(answer as never)
  }

  #grpc(): Http2Server {
    const server = createHttp2()
    server.on('stream', (stream) => {
      stream.on('error', () => {})
      stream.resume()
      stream.on('end', () => {
        if (this.state === 'silent') return
        if (this.state === 'retriable') {
          stream.respond(
            { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '14' },
            { endStream: true },
          )
          return
        }
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
        const status = GRPC_ANSWER[this.state as 'well' | 'bad'] ?? 1
        stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status]))
      })
    })
    return server
  }

  #speakTcp(socket: Socket): void {
    socket.on('data', (data) => {
      if (this.state === 'silent' || data.toString() !== 'PING') return
      socket.write(this.state === 'well' ? 'so PONG it is' : 'BONG')
    })
  }

  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())))
  }
}

interface Answering {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}
