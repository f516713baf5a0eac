import { MeshError } from '../errors.ts'
import { type Libc, libc } from './libc.ts'
import { AF_INET, AF_INET6, encodeSockaddr } from './sockaddr.ts'

const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_REUSEPORT = 15

/**
 * A socket that listens on an address which others of this user may listen on too, the kernel spreading connections
 * over them (socket(7), SO_REUSEPORT); give it to `server.listen({ fd })`. For node before 22.12, which has no
 * `reusePort` of its own. Linux only; IPv6 sockets take IPv4 too where the system lets them.
 *
 * Throws SOCKET_CALLS_UNAVAILABLE where the C library cannot be called, and LISTEN_FAILED with the error's number.
 */
export function listenReusePort(address: string, port: number, backlog: number): number {
  const calls = libc()
  if (calls instanceof MeshError) throw calls
  const sockaddr = encodeSockaddr(address, port)
  if (sockaddr === undefined) throw failed(address, port, 'it is not an IP address')
  const family = address.includes(':') ? AF_INET6 : AF_INET
  const fd = calls.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) throw failed(address, port, `socket: errno ${calls.errno()}`)
  const reason = prepare(calls, fd, sockaddr, backlog)
  if (reason === undefined) return fd
  calls.close(fd)
  throw failed(address, port, reason)
}

function prepare(calls: Libc, fd: number, sockaddr: Buffer, backlog: number): string | undefined {
  const on = Buffer.from(new Int32Array([1]).buffer)
  for (const option of [SO_REUSEADDR, SO_REUSEPORT]) {
    if (calls.setsockopt(fd, SOL_SOCKET, option, on, on.length) < 0) return `setsockopt: errno ${calls.errno()}`
  }
  if (calls.bind(fd, sockaddr, sockaddr.length) < 0) return `bind: errno ${calls.errno()}`
  return calls.listen(fd, backlog) < 0 ? `listen: errno ${calls.errno()}` : undefined
}

function failed(address: string, port: number, reason: string): MeshError {
  return new MeshError('LISTEN_FAILED', `cannot listen on ${address}:${port}: ${reason}`, { source: 'local' })
}
