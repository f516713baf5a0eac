import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import {
  type ClientHttp2Session,
  connect,
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
  type SessionOptions,
} from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'

/** Node's own clients and servers of both protocols, behind one face. */

export type Protocol = 'http1' | 'http2'

export interface Asked {
  method?: string
  path?: string
  headers?: Record<string, string | string[]>
  /** Pieces of a body, each written on its own. With none the request ends with its head. */
  body?: readonly Buffer[]
  trailers?: Record<string, string>
  /** Writes the body when this has come about. */
  after?: 'continue' | 'response'
}

export interface Answered {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  trailers: Record<string, unknown>
  /** Statuses of interim answers. */
  interim: number[]
  /** How the connection or stream broke after the answer had begun; '' when it did not. */
  broke: string
}

/** One kept connection of a client. */
export class BothClient {
  readonly #protocol: Protocol
  readonly #port: number
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 50 })
  readonly session: ClientHttp2Session | undefined

  constructor(protocol: Protocol, port: number) {
    this.#protocol = protocol
    this.#port = port
    if (protocol === 'http1') return
    this.session = connect(`http://127.0.0.1:${port}`)
    this.session.on('error', () => {})
  }

  /** Rejects when no answer came. */
  ask(asked: Asked = {}): Promise<Answered> {
    return this.#protocol === 'http1' ? this.#askHttp1(asked) : this.#askHttp2(asked)
  }

  close(): void {
    this.#agent.destroy()
    this.session?.destroy()
  }

  #askHttp1({ method = 'GET', path = '/', headers = {}, body = [], trailers, after }: Asked): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: this.#port, agent: this.#agent, method, path, headers })
      const interim: number[] = []
      const write = () => {
        for (const piece of body) sent.write(piece)
        if (trailers !== undefined) sent.addTrailers(trailers)
        sent.end()
      }
      sent.on('information', ({ statusCode }) => interim.push(statusCode))
      sent.on('error', reject)
      sent.on('response', (response) => {
        if (after === 'response') write()
        const chunks: Buffer[] = []
        const done = (broke: string) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
            trailers: response.trailers,
            interim,
            broke,
          })
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => done(''))
        response.on('error', (error) => done(error.message))
      })
      if (after === 'continue') {
        sent.once('continue', write)
        sent.flushHeaders()
      } else if (after === 'response') sent.flushHeaders()
      else write()
    })
  }

  #askHttp2({ method = 'GET', path = '/', headers = {}, body = [], trailers, after }: Asked): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const session = this.session as ClientHttp2Session
      const hasBody = body.length > 0 || trailers !== undefined
      const stream = session.request(
        { ':method': method, ':path': path, ...headers },
        { endStream: !hasBody, waitForTrailers: trailers !== undefined },
      )
      const write = () => {
        for (const piece of body) stream.write(piece)
        stream.end()
      }
      const interim: number[] = []
      const chunks: Buffer[] = []
      let answer: IncomingHttpHeaders | undefined
      let last: Record<string, unknown> = {}
      stream.on('wantTrailers', () => stream.sendTrailers(trailers ?? {}))
      stream.on('headers', (fields) => interim.push(Number(fields[':status'])))
      stream.on('trailers', (fields) => {
        last = fields
      })
      stream.on('response', (fields) => {
        answer = fields
        if (after === 'response') write()
      })
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      let broke = ''
      stream.on('error', (error) => {
        broke = error.message
      })
      stream.on('close', () => {
        if (answer === undefined) {
          reject(new Error(broke || `closed by code ${stream.rstCode}`))
          return
        }
        const status = Number(answer[':status'])
        resolve({ status, headers: answer, body: Buffer.concat(chunks), trailers: last, interim, broke })
      })
      if (after === 'continue') stream.once('continue', write)
      else if (hasBody && after === undefined) write()
    })
  }
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A server of either protocol. */
export class BothServer {
  readonly sessions = new Set<ServerHttp2Session>()
  readonly sockets = new Set<Socket>()
  readonly #server
  port = 0

  constructor(protocol: Protocol, handler: Handler, options: SessionOptions = {}) {
    // The compatibility API of node:http2 is the same for what a handler does here.
    this.#server =
      protocol === 'http1'
        ? createServer(handler)
        : (createHttp2Server(options as object, handler as never) as Http2Server)
    this.#server.on('connection', (socket: Socket) => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
    })
    this.#server.on('session', (session: ServerHttp2Session) => {
      this.sessions.add(session)
      session.on('error', () => {})
      session.on('close', () => this.sessions.delete(session))
    })
  }

  /** An event of the server beneath, such as `checkContinue`. */
  on(event: string, listener: (...args: never[]) => void): this {
    this.#server.on(event, listener as never)
    return this
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.port = (this.#server.address() as AddressInfo).port
    return this.port
  }

  close(): void {
    this.#server.close()
    for (const session of this.sessions) session.destroy()
    for (const socket of this.sockets) socket.destroy()
  }
}
