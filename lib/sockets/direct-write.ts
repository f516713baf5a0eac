import type { Socket } from 'node:net'
import { MeshError } from '../errors.ts'
import { type Libc, libc } from './libc.ts'
import { descriptorOf } from './original-destination.ts'

const DESCRIPTOR = Symbol('descriptor')

interface DirectSocket extends Socket {
  [DESCRIPTOR]?: number | undefined
}

/** linux/socket.h: an error is returned and is no signal; what the kernel has no room for is not waited for. */
const MSG_NOSIGNAL = 0x4000
const MSG_DONTWAIT = 0x40
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

/**
 * Writes `buffer` from `start` to `end` to a socket. What the kernel takes at once is gone when this returns; the rest is
 * the socket's, which reads it from the buffer for as long as its `writableLength` is not 0. `address` is that of the buffer.
 *
 * A write through node's streams costs 0.8 us more than the system call that it leads to, a third of the whole.
 */
export function writeNow(socket: Socket, buffer: Buffer, address: number, start: number, end: number): void {
  const descriptor = (socket as DirectSocket)[DESCRIPTOR]
  let at = start
  if (
    descriptor !== undefined &&
    address !== 0 &&
    calls !== undefined &&
    // Not before what waits, and never after the socket's own end: the descriptor may be another's by then.
    socket.writableLength === 0 &&
    !socket.writableEnded &&
    !socket.destroyed
  ) {
    const taken = calls.send(descriptor, address + start, end - start, FLAGS)
    if (taken === end - start) return
    // An error is met again by the socket's own write, which tells of it in the usual way.
    if (taken > 0) at += taken
  }
  socket.write(buffer.subarray(at, end))
}
