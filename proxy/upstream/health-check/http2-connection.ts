import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import { createRequire } from 'node:module'
import type { ProbeTarget } from './probe.ts'

const ALPN = ['h2']
/** Loaded for the first probe: it takes a megabyte, which a proxy without such probes does without. */
const require = createRequire(import.meta.url)

export interface Http2Answer {
  readonly fields: Readonly<Record<string, string | string[] | undefined>>
  readonly trailers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** The HTTP/2 connection of a probe, made when it is needed and kept for the next time. */
export class Http2Connection {
  readonly #target: ProbeTarget
  #session: ClientHttp2Session | undefined
  #stream: ClientHttp2Stream | undefined

  constructor(target: ProbeTarget) {
    this.#target = target
  }

  /** One question. `onDone` gets undefined when there was no whole answer, and is not called after giveUp(). */
  ask(
    headers: OutgoingHttpHeaders,
    body: Buffer | undefined,
    onData: (chunk: Buffer) => void,
    onDone: (answer: Omit<Http2Answer, 'body'> | undefined) => void,
  ): void {
    const session = this.#open()
    const scheme = this.#target.isTls ? 'https' : 'http'
    const { authority } = this.#target
    const stream = session.request(
      { ':scheme': scheme, ':authority': authority, ...headers },
      { endStream: body === undefined },
    )
    this.#stream = stream
    let fields: Http2Answer['fields'] | undefined
    let trailers: Http2Answer['trailers'] = {}
    let isWhole = false
    stream.on('response', (received) => {
      fields = received as Http2Answer['fields']
    })
    stream.on('trailers', (received) => {
      trailers = received as Http2Answer['trailers']
    })
    stream.on('data', onData)
    stream.on('end', () => {
      isWhole = true
    })
    stream.on('error', () => {})
    stream.on('close', () => {
      if (this.#stream !== stream) return
      this.#stream = undefined
      if (!this.#target.reusesConnection) this.#drop()
      onDone(isWhole && fields !== undefined && stream.rstCode === 0 ? { fields, trailers } : undefined)
    })
    if (body !== undefined) stream.end(body)
  }

  #open(): ClientHttp2Session {
    const open = this.#session
    if (open !== undefined && !open.closed && !open.destroyed) return open
    const socket = this.#target.connect(ALPN)
    const session = (require('node:http2') as typeof import('node:http2')).connect(
      `${this.#target.isTls ? 'https' : 'http'}://${PLACE}`,
      { createConnection: () => socket },
    )
    session.on('error', () => {})
    session.on('goaway', () => {
      if (this.#session === session) this.#session = undefined
    })
    session.unref()
    this.#session = session
    return session
  }

  giveUp(): void {
    this.#stream = undefined
    this.#drop()
  }

  #drop(): void {
    this.#session?.destroy()
    this.#session = undefined
  }
}

/** The connection is made elsewhere; the name is asked for and not used. */
const PLACE = 'host.invalid'
