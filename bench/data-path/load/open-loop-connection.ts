import { connect, type Socket } from 'node:net'

/** Answers are small: what is longer before its head ends is none of ours. */
const MAX_HEAD_BYTES = 8192

/** A keep-alive connection that sends one request at a time and queues the others with the times at which they were due. */
export class OpenLoopConnection {
  readonly #socket: Socket
  readonly #request: Buffer
  readonly #onAnswer: (dueMs: number) => void
  readonly #onError: (reason: string) => void
  readonly #due: number[] = []
  /** What came of the answer that is awaited. */
  #received: Buffer = Buffer.alloc(0)

  constructor(
    port: number,
    request: Buffer,
    handlers: { onOpen: () => void; onAnswer: (dueMs: number) => void; onError: (reason: string) => void },
  ) {
    this.#request = request
    this.#onAnswer = handlers.onAnswer
    this.#onError = handlers.onError
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('connect', handlers.onOpen)
    this.#socket.on('data', (chunk) => this.#onData(chunk))
    this.#socket.on('error', (error) => this.#onError(error.message))
    this.#socket.on('end', () => this.#onError('closed by the other side'))
  }

  /** Sends now, or when what was due before is answered. */
  send(dueMs: number): void {
    this.#due.push(dueMs)
    if (this.#due.length === 1) this.#socket.write(this.#request)
  }

  get unanswered(): number {
    return this.#due.length
  }

  close(): void {
    this.#socket.removeAllListeners('end')
    this.#socket.destroy()
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const length = answerLength(this.#received)
    if (length === undefined || (length >= 0 && this.#received.length > length)) this.#onError('not an answer of ours')
    else if (length >= 0 && this.#received.length === length) {
      this.#received = Buffer.alloc(0)
      this.#onAnswer(this.#due.shift() as number)
      if (this.#due.length > 0) this.#socket.write(this.#request)
    }
  }
}

/** Bytes of the answer that begins here, head and body; -1 while the head is not whole; undefined if it is no 200 with a length. */
export function answerLength(bytes: Buffer): number | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return bytes.length > MAX_HEAD_BYTES ? undefined : -1
  const head = bytes.toString('latin1', 0, headEnd)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (!head.startsWith('HTTP/1.1 200') || length === undefined) return undefined
  return headEnd + 4 + Number(length)
}
