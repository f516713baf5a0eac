import type { Socket } from 'node:net'
import { MeshError } from '../errors.ts'
import { libc } from './libc.ts'
import { decodeSockaddr, MAX_SOCKADDR_BYTES, type SocketAddress } from './sockaddr.ts'

const SOL_IP = 0
const SOL_IPV6 = 41
/** linux/netfilter_ipv4.h; IP6T_SO_ORIGINAL_DST has the same number. */
const SO_ORIGINAL_DST = 80

const address = Buffer.alloc(MAX_SOCKADDR_BYTES)
const length = Buffer.from(new Uint32Array([0]).buffer)
const lengthView = new Uint32Array(length.buffer, length.byteOffset, 1)

/**
 * Where a connection was going before netfilter redirected it here. undefined when it was not, as far as the kernel
 * tells, and where the C library cannot be called (`originalDestinationError` says why).
 */
export function originalDestination(fd: number): SocketAddress | undefined {
  const calls = libc()
  if (calls instanceof MeshError) return undefined
  for (const level of [SOL_IP, SOL_IPV6]) {
    lengthView[0] = address.length
    if (calls.getsockopt(fd, level, SO_ORIGINAL_DST, address, length) === 0) return decodeSockaddr(address)
  }
  return undefined
}

/** Why original destinations cannot be had on this machine; undefined when they can. */
export function originalDestinationError(): string | undefined {
  const calls = libc()
  return calls instanceof MeshError ? calls.message : undefined
}

/** The descriptor of a socket, which node keeps to itself; undefined once it is closed, and for what is no TCP socket. */
export function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd
  return fd !== undefined && fd >= 0 ? fd : undefined
}
