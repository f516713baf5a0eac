import { type Server, Socket, type SocketConstructorOpts } from 'node:net'
import { allowDirectWrites } from './direct-write.ts'
import { LentMemory } from './lent-memory.ts'
import { readByNode, readByPoll } from './socket-poll.ts'

/**
 * Where all plain downstream connections read into. Without it node allocates 64 KiB for every read and shrinks them to
 * what came.
 */
const memory = new LentMemory()

/** Takes bytes that are only lent, until it returns. Must not throw. */
export interface LentReader {
  onLentBytes(bytes: Buffer): void
}

const READER = Symbol('reader')
const HAS_READ = Symbol('has read')

/** An accepted connection that reads into the common buffer. No class: sockets of a class of their own are made slower. */
interface SharedReadSocket extends Socket {
  [READER]: LentReader | undefined
  [HAS_READ]: boolean
}

/** Linux gives accepted sockets the options of the one that listens: a system call less for each. */
const INHERITS_NO_DELAY = process.platform === 'linux'

/** Node calls the callbacks as methods of the socket. */
const ONREAD = { buffer: memory.bytes, callback: onRead }
const ONREAD_OF_TLS = { buffer: memory.bytes, callback: onReadOfTls }

function onRead(this: SharedReadSocket, length: number): boolean {
  give(memory.part(length), this)
  // A connection that is used once is not worth it.
  if (this[HAS_READ]) readByPoll(this, memory, give)
  else this[HAS_READ] = true
  return true
}

function onReadOfTls(this: SharedReadSocket, length: number): boolean {
  give(memory.part(length), this)
  return true
}

function give(bytes: Buffer, socket: Socket): void {
  const reader = (socket as SharedReadSocket)[READER]
  if (reader !== undefined) reader.onLentBytes(bytes)
  else socket.emit('data', Buffer.from(bytes))
}

export function isSharedRead(socket: Socket): boolean {
  return READER in socket
}

/** Has the bytes of a shared-read socket lent to a reader; without one they are emitted as `data`, as copies. Others do so always. */
export function lendTo(socket: Socket, reader: LentReader | undefined): void {
  if (isSharedRead(socket)) (socket as SharedReadSocket)[READER] = reader
}

/** What node has in a socket that reads into memory of ours. */
interface BufferedHandle {
  useUserBuffer(bytes: Uint8Array): void
}

/** Makes what the next read goes into. */
type BufferGenerator = () => Uint8Array

/** Under which symbol a socket that was given this `onread` keeps a part of it; undefined where node keeps it otherwise. */
function keyOf(
  onread: { buffer: Uint8Array | BufferGenerator; callback: typeof onRead },
  part: unknown,
): symbol | undefined {
  const socket = new Socket({ onread } as SocketConstructorOpts)
  return Object.getOwnPropertySymbols(socket).find((key) => Reflect.get(socket, key) === part)
}

const generator: BufferGenerator = () => memory.bytes
const KEYS = {
  bytes: keyOf(ONREAD, ONREAD.buffer),
  callback: keyOf(ONREAD, onRead),
  generator: keyOf({ buffer: generator, callback: onRead }, generator),
}

/**
 * Has each later read of a socket whose `onread` has a buffer go into what `generate` gives, until it is told undefined: node asks one
 * after each read, and takes a while to change to the same buffer. False where node is not as we know it.
 */
export function generateReads(socket: Socket, generate: BufferGenerator | undefined): boolean {
  if (KEYS.generator === undefined) return false
  Reflect.set(socket, KEYS.generator, generate ?? null)
  readByNode(socket)
  return true
}

/**
 * Has a connection of TLS that was accepted read into the common buffer from now on: node takes no `onread` for those, and its
 * streams cost more than the read. One that has read something already stays as it is, as all do where node is not as we know it.
 */
export function shareReads(socket: Socket): void {
  const handle = (socket as { _handle?: Partial<BufferedHandle> | null })._handle
  const { bytes, callback } = KEYS
  if (bytes === undefined || callback === undefined || typeof handle?.useUserBuffer !== 'function') return
  if (socket.readableLength > 0) return
  Reflect.set(socket, bytes, ONREAD_OF_TLS.buffer)
  Reflect.set(socket, callback, ONREAD_OF_TLS.callback)
  ;(socket as SharedReadSocket)[READER] = undefined
  handle.useUserBuffer(ONREAD_OF_TLS.buffer)
}

/** What node has in an accepted or a listening socket, as far as it matters here: it has no public way to the sockets it makes. */
interface ConnectionHandle {
  setNoDelay(on: boolean): void
}
interface ListeningHandle extends ConnectionHandle {
  onconnection(status: number, client: ConnectionHandle | undefined): void
}

/**
 * Has a listening server make shared-read sockets of the connections that `wants` says it of when they come, and give
 * them to `onConnection`; all others are node's as always. Where node has no such handle, all are.
 */
export function acceptShared(server: Server, wants: () => boolean, onConnection: (socket: Socket) => void): void {
  const handle = (server as { _handle?: ListeningHandle | null })._handle
  if (typeof handle?.onconnection !== 'function') return
  const { onconnection } = handle
  handle.setNoDelay(true)
  handle.onconnection = (status, client) => {
    if (status !== 0 || client === undefined || !wants()) onconnection.call(handle, status, client)
    else onConnection(sharedRead(client))
  }
}

function sharedRead(handle: ConnectionHandle): Socket {
  const socket = new Socket({ handle, allowHalfOpen: true, onread: ONREAD } as SocketConstructorOpts)
  ;(socket as SharedReadSocket)[READER] = undefined
  ;(socket as SharedReadSocket)[HAS_READ] = false
  if (!INHERITS_NO_DELAY) handle.setNoDelay(true)
  allowDirectWrites(socket)
  return socket
}
