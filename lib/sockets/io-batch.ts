import { MeshError } from '../errors.ts'
import { type Libc, libc } from './libc.ts'

interface Numbers {
  readonly setUp: number
  readonly destroy: number
  readonly submit: number
  readonly getEvents: number
}

/** Numbers of io_setup, io_destroy, io_submit and io_getevents (asm/unistd.h). Both of these have their words in little-endian order. */
const CALLS: Partial<Record<string, Numbers>> = {
  x64: { setUp: 206, destroy: 207, submit: 209, getEvents: 208 },
  arm64: { setUp: 0, destroy: 1, submit: 2, getEvents: 4 },
}

/** linux/aio_abi.h: words of 32 bits in a struct iocb and a struct io_event, and where what is in them. */
const OPERATION_WORDS = 16
const OPCODE_WORD = 4
const DESCRIPTOR_WORD = 5
const ADDRESS_WORD = 6
const LENGTH_WORD = 8
const EVENT_WORDS = 8
const RESULT_WORD = 4
const OPCODE = { read: 0, write: 1 } as const

/** fs/aio.c, struct aio_ring: its words before the events. Programs that read it, as fio does, know it by its magic number. */
const RING_WORDS = 8
const RING = { length: 1, head: 2, tail: 3, magic: 4 } as const
const RING_MAGIC = 0xa10a10a1 | 0

const WORD = 2 ** 32

/** Operations that one system call does. The kernel counts them for the whole machine (fs.aio-max-nr, 65,536 as it comes), so that they are few. */
export const BATCH_SIZE = 32
/** Of fewer, a system call for each is as fast. */
export const MIN_BATCH = 6
/** The result of one that is left to be done by itself. */
export const NOT_DONE = -0x8000_0000

/**
 * Reads and writes of many sockets by one system call (io_submit): on sockets that do not wait they are done when it returns, and their
 * results lie in memory that the kernel shares. Each saves its way in and out of the kernel, and the call through koffi.
 */
export class IoBatch {
  readonly #calls: Libc
  readonly #numbers: Numbers
  readonly #context: number
  readonly #operations = Buffer.allocUnsafeSlow(BATCH_SIZE * OPERATION_WORDS * 4).fill(0)
  readonly #words = new Int32Array(this.#operations.buffer, 0, BATCH_SIZE * OPERATION_WORDS)
  /** Of each operation. */
  readonly #pointers = Buffer.allocUnsafeSlow(BATCH_SIZE * 8)
  readonly #pointersAddress: number
  readonly #ring: Int32Array
  readonly #ringLength: number
  readonly #events = Buffer.allocUnsafeSlow(BATCH_SIZE * EVENT_WORDS * 4)
  readonly #eventWords = new Int32Array(this.#events.buffer, 0, BATCH_SIZE * EVENT_WORDS)
  #count = 0

  private constructor(calls: Libc, numbers: Numbers, context: number, ring: Int32Array) {
    this.#calls = calls
    this.#numbers = numbers
    this.#context = context
    this.#ring = ring
    this.#ringLength = ring[RING.length] as number
    const address = calls.address(this.#operations)
    for (let i = 0; i < BATCH_SIZE; i++) {
      this.#words[i * OPERATION_WORDS] = i
      this.#pointers.writeBigUInt64LE(BigInt(address + i * OPERATION_WORDS * 4), i * 8)
    }
    this.#pointersAddress = calls.address(this.#pointers)
  }

  /** Undefined where the kernel has no such calls, forbids them, or has given all that it has to others. */
  static make(calls: Libc): IoBatch | undefined {
    const numbers = process.platform === 'linux' ? CALLS[process.arch] : undefined
    if (numbers === undefined) return undefined
    const made = Buffer.alloc(8)
    if (calls.systemCall(numbers.setUp, BATCH_SIZE, calls.address(made), 0, 0, 0) !== 0) return undefined
    const context = Number(made.readBigUInt64LE())
    const head = new Int32Array(calls.view(context, RING_WORDS * 4))
    if (head[RING.magic] !== RING_MAGIC) {
      calls.systemCall(numbers.destroy, context, 0, 0, 0, 0)
      return undefined
    }
    const words = RING_WORDS + (head[RING.length] as number) * EVENT_WORDS
    return new IoBatch(calls, numbers, context, new Int32Array(calls.view(context, words * 4)))
  }

  /** How many were added. */
  get count(): number {
    return this.#count
  }

  /** Of a descriptor that does not wait, at most one in a batch: the second would be done although the first was not done whole. */
  addRead(descriptor: number, address: number, length: number): void {
    this.#add(OPCODE.read, descriptor, address, length)
  }

  /** As `addRead`. A write to who is gone raises SIGPIPE, which node ignores. */
  addWrite(descriptor: number, address: number, length: number): void {
    this.#add(OPCODE.write, descriptor, address, length)
  }

  #add(opcode: number, descriptor: number, address: number, length: number): void {
    const at = this.#count++ * OPERATION_WORDS
    const words = this.#words
    const high = Math.floor(address / WORD)
    words[at + OPCODE_WORD] = opcode
    words[at + DESCRIPTOR_WORD] = descriptor
    words[at + ADDRESS_WORD] = address - high * WORD
    words[at + ADDRESS_WORD + 1] = high
    words[at + LENGTH_WORD] = length
  }

  /** Does all that were added, unless they are few. `results` is given how many bytes each took, or the negative number of its error, or NOT_DONE. */
  submit(results: Int32Array): void {
    const count = this.#count
    this.#count = 0
    const done = count < MIN_BATCH ? 0 : this.#submit(count)
    for (let i = done; i < count; i++) results[i] = NOT_DONE
    const left = done - this.#takeFromRing(done, results)
    if (left > 0) this.#await(left, results)
  }

  /** Returns how many were done: those before the first one that the kernel does not take. */
  #submit(count: number): number {
    const { submit } = this.#numbers
    let done = 0
    while (done < count) {
      const pointers = this.#pointersAddress + done * 8
      const some = this.#calls.systemCall(submit, this.#context, count - done, pointers, 0, 0)
      if (some <= 0) break
      done += some
    }
    return done
  }

  /** What libaio's users do with the kernel's ring (its `head` is theirs to move). Returns how many there were. */
  #takeFromRing(most: number, results: Int32Array): number {
    const ring = this.#ring
    let head = ring[RING.head] as number
    const tail = ring[RING.tail] as number
    let taken = 0
    while (head !== tail && taken < most) {
      const at = RING_WORDS + head * EVENT_WORDS
      results[ring[at] as number] = ring[at + RESULT_WORD] as number
      if (++head === this.#ringLength) head = 0
      taken++
    }
    ring[RING.head] = head
    return taken
  }

  /** Memory that the kernel still writes to must not be used: never on sockets that do not wait, as all of node's are. */
  #await(left: number, results: Int32Array): void {
    const words = this.#eventWords
    const address = this.#calls.address(this.#events)
    while (left > 0) {
      const some = this.#calls.systemCall(this.#numbers.getEvents, this.#context, left, left, address, 0)
      for (let i = 0; i < some; i++) {
        results[words[i * EVENT_WORDS] as number] = words[i * EVENT_WORDS + RESULT_WORD] as number
      }
      if (some > 0) left -= some
    }
  }
}

let batch: IoBatch | undefined
let isMade = false

/** The one of this thread, for who adds and submits without anyone coming in between; made when it is first asked for. */
export function ioBatch(): IoBatch | undefined {
  if (!isMade) {
    isMade = true
    const calls = libc()
    if (!(calls instanceof MeshError)) batch = IoBatch.make(calls)
  }
  return batch
}
