/** gRPC's prefix of a message: a byte that says whether it is compressed, and four for its length. */
const PREFIX_BYTES = 5
/** A piece of its own costs more than a copy of so few bytes. */
const JOIN_BYTES = 8192

/**
 * An encoded response in two pieces: what is one stream's alone, and what many streams are sent alike. The shared piece
 * goes out as it is: copying a table of a thousand hosts for every stream costs more than all the rest of a push.
 */
export class Message {
  /** The prefix, then the stream's own part of the message. */
  readonly head: Buffer
  /** The rest of the message; undefined when the head has all of it. */
  readonly shared: Uint8Array | undefined

  constructor(own: readonly Uint8Array[], shared: Uint8Array) {
    const isJoined = shared.length <= JOIN_BYTES
    const parts = isJoined ? [...own, shared] : own
    this.head = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + part.length, PREFIX_BYTES))
    this.shared = isJoined ? undefined : shared
    this.head[0] = 0
    this.head.writeUInt32BE(this.length, 1)
    let end = PREFIX_BYTES
    for (const part of parts) {
      this.head.set(part, end)
      end += part.length
    }
  }

  /** Of the message itself, in bytes. */
  get length(): number {
    return this.head.length - PREFIX_BYTES + (this.shared?.length ?? 0)
  }

  /** The message itself, in one piece. */
  bytes(): Buffer {
    const own = this.head.subarray(PREFIX_BYTES)
    return this.shared === undefined ? own : Buffer.concat([own, this.shared])
  }
}
