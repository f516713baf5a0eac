import {
  Client,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  status,
} from '@grpc/grpc-js'

/*
 * A gRPC service without a schema: messages are bytes. What it does is told by the call's metadata:
 * `fail: <code>` with `message`, `hold` to answer never, `reply-bytes: <n>` for metadata that is so large.
 */

const same = (bytes: Buffer) => bytes
const SHAPES = {
  unary: [false, false],
  upload: [true, false],
  download: [false, true],
  chat: [true, true],
} as const

const methods = Object.fromEntries(
  Object.entries(SHAPES).map(([name, [requestStream, responseStream]]) => [
    name,
    {
      path: pathOf(name),
      requestStream,
      responseStream,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  ]),
)

export function pathOf(name: string): string {
  return `/test.Echo/${name}`
}

type Bytes = Buffer

/** Counts the calls that were begun and those that clients took back. */
export class GrpcEcho {
  readonly server: Server
  begun = 0
  cancelled = 0
  port = 0

  constructor(options: Record<string, number> = {}) {
    this.server = new Server({ 'grpc.max_receive_message_length': -1, ...options })
    const unary: handleUnaryCall<Bytes, Bytes> = (call, callback) => {
      this.#begin(call)
      if (call.metadata.get('hold').length > 0) return
      const error = asked(call.metadata)
      if (error !== undefined) callback(error)
      else callback(null, call.request)
    }
    const upload: handleClientStreamingCall<Bytes, Bytes> = (call, callback) => {
      this.#begin(call)
      let bytes = 0
      call.on('data', (message: Bytes) => {
        bytes += message.length
      })
      call.on('end', () => callback(null, Buffer.from(String(bytes))))
    }
    const download: handleServerStreamingCall<Bytes, Bytes> = (call) => {
      this.#begin(call)
      const [count = 0, size = 0] = call.request.toString().split('x').map(Number)
      for (let i = 0; i < count; i++) call.write(Buffer.alloc(size, i))
      const error = asked(call.metadata)
      if (error === undefined) call.end()
      else call.emit('error', error)
    }
    const chat: handleBidiStreamingCall<Bytes, Bytes> = (call) => {
      this.#begin(call)
      call.on('data', (message: Bytes) => call.write(message))
      call.on('end', () => call.end())
    }
    this.server.addService(methods as never, { unary, upload, download, chat } as never)
  }

  #begin(call: { metadata: Metadata; sendMetadata(metadata: Metadata): void; on(event: string, f: () => void): void }) {
    this.begun++
    call.on('cancelled', () => this.cancelled++)
    const size = Number(call.metadata.get('reply-bytes')[0] ?? 0)
    if (size === 0) return
    const metadata = new Metadata()
    metadata.set('large', 'x'.repeat(size))
    call.sendMetadata(metadata)
  }

  listen(port = 0): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
        this.port = bound
        if (error === null) resolve(bound)
        else reject(error)
      })
    })
  }

  close(): void {
    this.server.forceShutdown()
  }
}

function asked(metadata: Metadata): { code: status; details: string } | undefined {
  const [code] = metadata.get('fail')
  if (code === undefined) return undefined
  return { code: Number(code), details: decodeURIComponent(String(metadata.get('message')[0] ?? '')) }
}

/** A client for the service; one connection of its own. */
export function grpcClient(port: number, options: Record<string, number> = {}): Client {
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': -1,
    'grpc.enable_retries': 0,
    ...options,
  })
}

export interface Outcome {
  code: status
  details: string
  message?: Buffer
  metadata?: Metadata
}

/** One unary call, and how it ended: `code` 0 with its message. */
export function callUnary(
  client: Client,
  message: Buffer,
  metadata: Record<string, string> = {},
  deadlineMs = 20_000,
): Promise<Outcome> {
  return new Promise((resolve) => {
    let received: Metadata | undefined
    const sent = Metadata.fromHttp2Headers(metadata)
    const options = { deadline: Date.now() + deadlineMs }
    const call = client.makeUnaryRequest(pathOf('unary'), same, same, message, sent, options, (error, answer) => {
      if (error === null) resolve({ code: status.OK, details: '', message: answer, metadata: received })
      else resolve({ code: error.code, details: error.details, metadata: error.metadata })
    })
    call.on('metadata', (of: Metadata) => {
      received = of
    })
  })
}

export { same }
