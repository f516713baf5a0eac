import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import { connect, createServer as createHttp2Server, type Http2Server } from 'node:http2'
import { createServer as createHttpsServer, type Server as HttpsServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Server as GrpcServer, type Metadata, ServerCredentials } from '@grpc/grpc-js'
import { TestCa } from './certificates.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
export const PRELOAD = join(root, 'dist/propagate/main.js')

/** What an application is told of its upstream: ports, and the certificate that both show. */
export interface Upstreams {
  h1: number
  h2: number
  https: number
  grpc: number
  cert: string
  key: string
}

export type Heard = Record<string, string>

/** Answers every call with the headers it came with, as JSON, by HTTP/1.1, HTTP/2 and gRPC. */
export class HeaderEcho {
  readonly #http1: Server
  readonly #http2: Http2Server
  readonly #https: HttpsServer
  readonly #ca = new TestCa('echo')
  readonly #issued = this.#ca.issue('localhost', { altNames: ['IP:127.0.0.1'] })
  readonly #grpc = new GrpcServer()
  /** What was heard last by HTTP/1.1. */
  readonly heard: Heard[] = []

  constructor() {
    this.#http1 = createServer((incoming, response) => {
      this.heard.push(incoming.headers as Heard)
      // Later than others that come meanwhile, so that calls wait for each other's connections.
      setTimeout(() => response.end(JSON.stringify(incoming.headers)), 1)
    })
    this.#http2 = createHttp2Server((incoming, response) => response.end(JSON.stringify(incoming.headers)))
    this.#https = createHttpsServer(this.#issued, (incoming, response) =>
      response.end(JSON.stringify(incoming.headers)),
    )
    const same = (bytes: Buffer) => bytes
    const headers = {
      path: '/test.Echo/headers',
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    }
    this.#grpc.addService({ headers } as never, {
      headers: (
        call: { metadata: Metadata; getDeadline(): Date | number },
        done: (error: null, answer: Buffer) => void,
      ) => {
        const timeoutMs = Number(call.getDeadline()) - Date.now()
        const heard = { ...call.metadata.toHttp2Headers(), timeoutMs: String(timeoutMs) }
        done(null, Buffer.from(JSON.stringify(heard)))
      },
    })
  }

  async listen(): Promise<Upstreams> {
    for (const server of [this.#http1, this.#http2, this.#https]) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    }
    const grpc = await new Promise<number>((resolve, reject) =>
      this.#grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    )
    const port = (server: Server | HttpsServer | Http2Server) => (server.address() as AddressInfo).port
    const { cert, key } = this.#issued
    return { h1: port(this.#http1), h2: port(this.#http2), https: port(this.#https), grpc, cert, key }
  }

  close(): void {
    this.#http1.closeAllConnections()
    this.#http1.close()
    this.#http2.close()
    this.#https.closeAllConnections()
    this.#https.close()
    this.#ca.remove()
    this.#grpc.forceShutdown()
  }
}

/** An application of test/integration/propagate/apps in a process of its own. */
export class PropagatingApp {
  readonly #child: ChildProcess
  readonly ways: readonly string[]
  readonly paths: readonly string[]
  readonly #ports: readonly number[]

  private constructor(child: ChildProcess, ready: { ports: number[]; ways: string[]; paths: string[] }) {
    this.#child = child
    this.ways = ready.ways
    this.paths = ready.paths
    this.#ports = ready.ports
  }

  /** `preloads` are files that `--import` names. */
  static async start(
    node: string,
    file: string,
    upstreams: Upstreams,
    preloads: readonly string[],
    env: Record<string, string> = {},
  ): Promise<PropagatingApp> {
    const app = join(root, 'test/integration/propagate/apps', file)
    const args = [...preloads.flatMap((preload) => ['--import', preload]), app, JSON.stringify(upstreams)]
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const
    const child = spawn(node, args, { stdio: [...stdio], env: { ...process.env, NODE_OPTIONS: '', ...env } })
    const [ready] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`${file} ended with ${code}`))),
    ])
    return new PropagatingApp(child, ready)
  }

  /** What the upstream heard of the call that the application made while it answered this one. */
  call(way: string, path: string, headers: Record<string, string | string[]>): Promise<Heard> {
    return new Promise((resolve, reject) => {
      const target = `/${encodeURIComponent(way)}/${encodeURIComponent(path)}`
      const options = { host: '127.0.0.1', port: this.#ports[0], path: target, method: 'POST', headers }
      request(options, answered(resolve, reject)).on('error', reject).end('body')
    })
  }

  /** The same by HTTP/1.1 over TLS: to a server of https, or to one of HTTP/2 that speaks the old protocol too. */
  callTls(to: 'https' | 'http2', headers: Record<string, string>): Promise<Heard> {
    return new Promise((resolve, reject) => {
      const port = this.#ports[to === 'https' ? 4 : 5]
      const options = { host: '127.0.0.1', port, path: '/https.get/body', method: 'POST', headers, agent: false }
      httpsRequest({ ...options, rejectUnauthorized: false }, answered(resolve, reject))
        .on('error', reject)
        .end('body')
    })
  }

  /** The same by HTTP/2: to a server with a listener for requests, or for streams. */
  async callHttp2(to: 'requests' | 'streams', headers: Record<string, string>): Promise<Heard> {
    const session = connect(`http://127.0.0.1:${this.#ports[to === 'requests' ? 2 : 3]}`)
    const stream = session.request({ ':method': 'POST', ':path': '/fetch/body', ...headers })
    stream.end('body')
    let text = ''
    for await (const chunk of stream) text += chunk
    session.close()
    return JSON.parse(text) as Heard
  }

  /** The same by an upgrade. */
  upgrade(headers: Record<string, string>): Promise<Heard> {
    return new Promise((resolve, reject) => {
      const outgoing = request({
        host: '127.0.0.1',
        port: this.#ports[1],
        headers: { connection: 'upgrade', upgrade: 'x', ...headers },
      })
      outgoing.on('upgrade', (_answer, socket, head) => {
        let text = head.toString()
        socket.on('data', (chunk) => {
          text += chunk
        })
        socket.on('end', () => {
          socket.destroy()
          resolve(JSON.parse(text))
        })
      })
      outgoing.on('error', reject)
      outgoing.end()
    })
  }

  /** What the upstream heard of a call that has to do with no request. */
  async callOutside(): Promise<Heard> {
    this.#child.send('call')
    const [{ outside }] = await once(this.#child, 'message')
    return outside
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

function answered(resolve: (heard: Heard) => void, reject: (error: Error) => void) {
  return (answer: IncomingMessage) => {
    let text = ''
    answer.on('data', (chunk) => {
      text += chunk
    })
    answer.on('end', () => (answer.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))))
  }
}
