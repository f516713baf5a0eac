import type { Socket } from 'node:net'
import { MeshError } from '../errors.ts'
import { type Libc, libc, MSG_DONTWAIT } from './libc.ts'
import { descriptorOf } from './original-destination.ts'

const DESCRIPTOR = Symbol('descriptor')

interface DirectSocket extends Socket {
  [DESCRIPTOR]?: number | undefined
}

/** linux/socket.h: an error is returned and is no signal. */
const MSG_NOSIGNAL = 0x4000
const FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT

let calls: Libc | undefined
let isLoaded = false
const addresses = new WeakMap<Buffer, number>()

/**
 * Where the bytes of a buffer are, for `writeNow`; 0 where the C library cannot be called. The buffer must have been made by
 * `allocUnsafeSlow`, and stays in its place as long as it lives.
 */
export function addressOf(buffer: Buffer): number {
  if (!isLoaded) {
    isLoaded = true
    const loaded = libc()
    if (!(loaded instanceof MeshError)) calls = loaded
  }
  if (calls === undefined) return 0
  let address = addresses.get(buffer)
  if (address === undefined) {
    address = calls.address(buffer)
    addresses.set(buffer, address)
  }
  return address
}

/** Lets `writeNow` go round node for a plain socket that is connected. Never for one that another stream is laid over. */
export function allowDirectWrites(socket: Socket): void {
  const direct: DirectSocket = socket
  direct[DESCRIPTOR] = descriptorOf(socket)
}

/** Where a system call may write to at once, if it may: not to a socket that has more waiting, nor to one that is at its end. */
export function directDescriptor(socket: Socket): number | undefined {
  const descriptor = (socket as DirectSocket)[DESCRIPTOR]
  // After the socket's end the descriptor may be another's.
  const isOpen = descriptor !== undefined && !socket.writableEnded && !socket.destroyed
  return isOpen && socket.writableLength === 0 ? descriptor : undefined
}

/**
 * Writes `buffer` from `start` to `end` to a socket; `address` is that of the buffer. True says that the bytes are not needed
 * any more; else the socket reads them from the buffer for as long as its `writableLength` is not 0.
 *
 * A write through node's streams costs 0.8 us more than the system call that it leads to, a third of the whole.
 */
export function writeNow(socket: Socket, buffer: Buffer, address: number, start: number, end: number): boolean {
  const descriptor = address === 0 ? undefined : directDescriptor(socket)
  if (descriptor === undefined) return writeByNode(socket, buffer, start, end)
  const taken = (calls as Libc).send(descriptor, address + start, end - start, FLAGS)
  return finishWrite(socket, buffer, start, end, taken)
}

/** What follows a system call that has written `taken` of these bytes, or failed with less than 0. Returns what `writeNow` does. */
export function finishWrite(socket: Socket, buffer: Buffer, start: number, end: number, taken: number): boolean {
  // An error is met again by the socket's own write, which tells of it in the usual way.
  return taken === end - start || writeByNode(socket, buffer, taken > 0 ? start + taken : start, end)
}

function writeByNode(socket: Socket, buffer: Buffer, start: number, end: number): boolean {
  const isFree = socket.writableLength === 0
  socket.write(buffer.subarray(start, end))
  // TLS encrypts, or copies, before it returns what comes while nothing waits.
  return socket.writableLength === 0 || (isFree && 'encrypted' in socket)
}
