import { createRequire } from 'node:module'
import { errorText, MeshError } from '../errors.ts'

/** The calls of the C library that node does not offer. All return -1 and leave a reason in `errno()` when they fail. */
export interface Libc {
  socket(family: number, type: number, protocol: number): number
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number
  getsockopt(fd: number, level: number, name: number, value: Buffer, length: Buffer): number
  bind(fd: number, address: Buffer, length: number): number
  listen(fd: number, backlog: number): number
  close(fd: number): number
  /** `address` is one of address() or lies behind it, `length` at most 2^31 - 1. */
  send(fd: number, address: number, length: number, flags: number): number
  recv(fd: number, address: number, length: number, flags: number): number
  epollCreate(flags: number): number
  epollControl(epoll: number, operation: number, fd: number, event: Buffer): number
  epollWait(epoll: number, address: number, most: number, timeoutMs: number): number
  /** Has the event loop of this thread call `onReadable` in each turn that finds a descriptor readable, for as long as the answer is kept. */
  poll(fd: number, onReadable: () => void): Poll
  /** A system call that the C library has no function for; what it does not take is 0. */
  systemCall(number: number, a: number, b: number, c: number, d: number, e: number): number
  /** Memory that the kernel gave, which must stay where it is. */
  view(address: number, length: number): ArrayBuffer
  /** Where a buffer's bytes are. */
  address(buffer: Buffer): number
  errno(): number
}

/** Keeps the event loop going, unless told otherwise. */
export interface Poll {
  ref(): void
  unref(): void
}

/** linux/socket.h: what the kernel has no room for, or has not got, is not waited for. */
export const MSG_DONTWAIT = 0x40

let loaded: Libc | MeshError | undefined

/**
 * The C library of this process, through koffi, which is loaded when this is first called and then kept. Without its
 * binary for this machine the answer is an error, the same each time; callers say what then does not work.
 */
export function libc(): Libc | MeshError {
  loaded ??= load()
  return loaded
}

function load(): Libc | MeshError {
  if (process.platform !== 'linux') return unavailable(`sockets of ${process.platform} are not known`)
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const library = koffi.load(null)
    return {
      socket: library.func('int socket(int, int, int)'),
      setsockopt: library.func('int setsockopt(int, int, int, const void *, uint32_t)'),
      getsockopt: library.func('int getsockopt(int, int, int, void *, void *)'),
      bind: library.func('int bind(int, const void *, uint32_t)'),
      listen: library.func('int listen(int, int)'),
      close: library.func('int close(int)'),
      // What they return fits in an int, of which koffi makes a number sooner than of a ssize_t.
      send: library.func('int send(int, uintptr_t, size_t, int)'),
      recv: library.func('int recv(int, uintptr_t, size_t, int)'),
      epollCreate: library.func('int epoll_create1(int)'),
      epollControl: library.func('int epoll_ctl(int, int, int, const void *)'),
      epollWait: library.func('int epoll_wait(int, uintptr_t, int, int)'),
      systemCall: library.func('int syscall(long, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t)'),
      view: (address, length) => koffi.view(address, length),
      poll: (fd, onReadable) => koffi.node.poll(fd, onReadable),
      address: (buffer) => Number(koffi.address(buffer)),
      errno: () => koffi.errno(),
    }
  } catch (thrown) {
    return unavailable(errorText(thrown))
  }
}

function unavailable(reason: string): MeshError {
  return new MeshError('SOCKET_CALLS_UNAVAILABLE', `koffi cannot be used: ${reason}`, { source: 'local' })
}
