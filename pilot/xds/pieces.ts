import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface } from '@grpc/grpc-js'
import { Message } from './message.ts'

/** What is used of an HTTP/2 stream. */
interface Http2Writable {
  readonly destroyed: boolean
  readonly closed: boolean
  cork(): void
  uncork(): void
  write(piece: Uint8Array, done?: (error?: Error | null) => void): boolean
}

/**
 * Writes a message of two pieces as two pieces. grpc-js copies every message behind its prefix, and has no way to spare
 * that; the stream under the call, one inner field of its, is written to instead. Should that field be gone in another
 * version, or the message be in one piece, grpc-js does it its way.
 */
class PiecewiseCall extends ServerInterceptingCall {
  readonly #call: ServerInterceptingCallInterface
  #hasMetadata = false

  constructor(call: ServerInterceptingCallInterface) {
    super(call)
    this.#call = call
  }

  override sendMetadata(metadata: Metadata): void {
    this.#hasMetadata = true
    super.sendMetadata(metadata)
  }

  override sendMessage(message: unknown, callback: () => void): void {
    const stream = message instanceof Message ? streamOf(this.#call) : undefined
    if (stream === undefined) {
      super.sendMessage(message, callback)
      return
    }
    const { head, shared } = message as Message
    if (!this.#hasMetadata) this.sendMetadata(new Metadata())
    if (stream.destroyed || stream.closed) return
    // An error destroys the stream, which ends the call: there is nothing more to say then.
    const done = (error?: Error | null) => {
      if (!error) callback()
    }
    if (shared === undefined) {
      stream.write(head, done)
      return
    }
    stream.cork()
    stream.write(head)
    stream.write(shared, done)
    stream.uncork()
  }
}

function streamOf(call: ServerInterceptingCallInterface): Http2Writable | undefined {
  const { stream } = call as { stream?: Partial<Http2Writable> }
  const isStream = typeof stream?.write === 'function' && typeof stream.cork === 'function'
  return isStream ? (stream as Http2Writable) : undefined
}

/** A server interceptor. */
export function writePieces(_method: unknown, call: ServerInterceptingCallInterface): ServerInterceptingCall {
  return new PiecewiseCall(call)
}
