import { type Server, Socket, type SocketConstructorOpts } from 'node:net'
import { allowDirectWrites } from './direct-write.ts'

/**
 * Where all plain downstream connections read into. Without it node allocates 64 KiB for every read and shrinks them to
 * what came.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024)

/** Takes bytes that are only lent: the first `length` of `buffer`, until it returns. Must not throw. */
export interface LentReader {
  onLentBytes(buffer: Buffer, length: number): void
}

/** An accepted connection that reads into the common buffer. Without a reader it emits copies as `data`. */
export class SharedReadSocket extends Socket {
  reader: LentReader | undefined

  constructor(handle: object) {
    super({ handle, allowHalfOpen: true, onread: { buffer: READ_BUFFER, callback: onRead } } as SocketConstructorOpts)
    this.setNoDelay(true)
    allowDirectWrites(this)
  }
}

/** Node calls it as a method of the socket. */
function onRead(this: SharedReadSocket, length: number): boolean {
  if (this.reader !== undefined) this.reader.onLentBytes(READ_BUFFER, length)
  else this.emit('data', Buffer.from(READ_BUFFER.subarray(0, length)))
  return true
}

/** What a listening server's handle is in node, as far as it matters here: node has no public way to the sockets it makes. */
interface ListeningHandle {
  onconnection(status: number, client: object | undefined): void
}

/**
 * Has a listening server make shared-read sockets of the connections that `wants` says it of when they come, and give
 * them to `onConnection`; all others are node's as always. Where node has no such handle, all are.
 */
export function acceptShared(server: Server, wants: () => boolean, onConnection: (socket: Socket) => void): void {
  const handle = (server as { _handle?: ListeningHandle | null })._handle
  if (typeof handle?.onconnection !== 'function') return
  const { onconnection } = handle
  handle.onconnection = (status, client) => {
    if (status !== 0 || client === undefined || !wants()) onconnection.call(handle, status, client)
    else onConnection(new SharedReadSocket(client))
  }
}
