import { Agent, request } from 'node:https'
import type { TLSSocket } from 'node:tls'

/** What a server must answer with. */
export const LOAD_ANSWER = 'x'.repeat(20_000)

/** Requests over TLS, one after the other on six runs: three on one connection each, three on a new one for each request. */
export class TlsLoad {
  readonly failures: string[] = []
  /** Common names of the certificates that were shown, in the order in which they came. */
  readonly certificates = new Set<string>()
  requests = 0
  readonly #address: string
  readonly #port: number
  readonly #host: string
  readonly #roots: string
  readonly #runs: Promise<void>[]
  #isOver = false

  /** Begins at once. `roots`: PEM. */
  constructor(address: string, port: number, host: string, roots: string) {
    this.#address = address
    this.#port = port
    this.#host = host
    this.#roots = roots
    this.#runs = [true, true, true, false, false, false].map((keepAlive) => this.#run(keepAlive))
  }

  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#runs)
  }

  async #run(keepAlive: boolean): Promise<void> {
    const [ca, servername] = [this.#roots, this.#host]
    const agent = new Agent({ keepAlive, maxSockets: 1, ca, servername, maxCachedSessions: 0 })
    const sockets = new Set<unknown>()
    while (!this.#isOver) {
      this.requests++
      try {
        await this.#ask(agent, sockets)
      } catch (thrown) {
        this.failures.push(String(thrown))
      }
    }
    agent.destroy()
    if (keepAlive && sockets.size > 1) this.failures.push(`${sockets.size} connections in the place of one`)
  }

  #ask(agent: Agent, sockets: Set<unknown>): Promise<void> {
    const headers = { host: this.#host }
    return new Promise((resolve, reject) => {
      const sent = request({ host: this.#address, port: this.#port, agent, headers }, (response) => {
        let length = 0
        response.on('data', (chunk: Buffer) => (length += chunk.length))
        response.on('error', reject)
        response.on('end', () => {
          if (response.statusCode === 200 && length === LOAD_ANSWER.length) resolve()
          else reject(new Error(`${response.statusCode} with ${length} bytes`))
        })
      })
      sent.on('socket', (socket) => {
        sockets.add(socket)
        socket.once('secureConnect', () => {
          this.certificates.add((socket as TLSSocket).getPeerCertificate().subject.CN as string)
        })
      })
      sent.on('error', reject)
      sent.end()
    })
  }
}
