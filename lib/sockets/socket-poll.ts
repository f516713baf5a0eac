import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { isMainThread } from 'node:worker_threads'
import { MeshError } from '../errors.ts'
import { addressOf } from './direct-write.ts'
import { BATCH_SIZE, ioBatch, MIN_BATCH, NOT_DONE } from './io-batch.ts'
import type { LentMemory } from './lent-memory.ts'
import { type Libc, libc, MSG_DONTWAIT, type Poll } from './libc.ts'
import { descriptorOf } from './original-destination.ts'
import { ReadBatch } from './read-batch.ts'

/** linux/eventpoll.h, asm-generic/errno-base.h. */
const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL_ADD = 1
const EPOLL_CTL_DEL = 2
const EPOLL_CTL_MOD = 3
const EPOLLIN = 1
const EPOLLRDHUP = 0x2000
const EPOLLET = -0x8000_0000
const EAGAIN = 11

/** A struct epoll_event in words of 32 bits: packed on x86-64 alone. */
const EVENT_WORDS = process.arch === 'x64' ? 3 : 4
const DATA_WORD = process.arch === 'x64' ? 1 : 2
/** Told once of what came: the kernel need not look again at sockets of which all was read. An end that came with it is told too. */
const WATCHED_EVENTS = EPOLLIN | EPOLLRDHUP | EPOLLET
/** What is left over is told in the next turn. */
const MAX_EVENTS = 256
/** After so many it is asked at once whether more have come. */
const MANY_READS = 8

/** A callback costs some two microseconds more than one of node's, so with less than this to read it is not worth it, on the mean of so many. */
const MIN_READS = 6
const JUDGED_CALLBACKS = 256
/** How many reads are left to node before it is tried again. */
const LEFT_READS = 16_384

/** What node has in a socket, as far as reading goes. */
interface ReadingHandle {
  reading: boolean
  readStart(): number
  readStop(): number
}

/** What a stream of node's keeps of its reading: to ask the socket itself is to look for each of its properties anew, since sockets are of many shapes. */
interface ReadingState {
  readonly destroyed: boolean
  /** False: it is paused. */
  readonly flowing: boolean | null
}

interface NodeSocket {
  readonly _handle: ReadingHandle
  readonly _readableState: ReadingState
}

/** Takes what came, which is only lent until it returns. */
export type PollReader = (bytes: Buffer, socket: Socket) => void

/** Has something to do around reads of many sockets in a row. Neither may throw. */
export interface ReadFollower {
  beforeReads(): void
  /** What readers wrote must leave now: there may be more to read before the event loop turns. */
  afterReads(): void
}

/** Never changed: whoever is told before reads is told after them. */
let followers: readonly ReadFollower[] = []

/** Of this thread, until the answer is called. */
export function followReads(follower: ReadFollower): () => void {
  followers = [...followers, follower]
  return () => {
    followers = followers.filter((other) => other !== follower)
  }
}

/** A socket of which we read in node's place. */
class PolledSocket {
  readonly descriptor: number
  readonly socket: Socket
  readonly handle: ReadingHandle
  readonly state: ReadingState
  readonly memory: LentMemory
  readonly address: number
  readonly onRead: PollReader
  isWatched = false

  constructor(descriptor: number, socket: Socket, memory: LentMemory, onRead: PollReader) {
    this.descriptor = descriptor
    this.socket = socket
    const { _handle, _readableState } = socket as unknown as NodeSocket
    this.handle = _handle
    this.state = _readableState
    this.memory = memory
    this.address = addressOf(memory.bytes)
    this.onRead = onRead
  }

  get isDestroyed(): boolean {
    return this.state.destroyed
  }

  get isPaused(): boolean {
    return this.state.flowing === false
  }

  /** It is node that reads from now on, or that does not. */
  letNodeRead(does: boolean): void {
    this.handle.reading = does
    if (does) this.handle.readStart()
    else this.handle.readStop()
  }
}

/**
 * Reads plain sockets round node's streams, which cost a read half a microsecond: all that are readable in a turn of the event loop
 * are read by one callback. Node opens them, is told when they pause, end, fail or close, and closes them.
 */
class SocketPoll {
  readonly #calls: Libc
  readonly #epoll: number
  readonly #poll: Poll
  readonly #events = Buffer.allocUnsafeSlow(MAX_EVENTS * EVENT_WORDS * 4)
  readonly #words = new Int32Array(this.#events.buffer, 0, MAX_EVENTS * EVENT_WORDS)
  readonly #eventsAddress = addressOf(this.#events)
  readonly #event = Buffer.alloc(EVENT_WORDS * 4)
  readonly #eventWords = new Int32Array(this.#event.buffer, this.#event.byteOffset, EVENT_WORDS)
  #batch: ReadBatch | undefined
  /** What is in it. */
  readonly #batched: (PolledSocket | undefined)[] = new Array(BATCH_SIZE).fill(undefined)
  /** By descriptor. */
  readonly #sockets: (PolledSocket | undefined)[] = []
  #watched = 0
  #callbacks = 0
  #reads = 0
  /** How many reads node still has to itself. */
  #left = 0

  /** Throws where there can be none. */
  constructor(calls: Libc) {
    this.#calls = calls
    this.#epoll = calls.epollCreate(EPOLL_CLOEXEC)
    this.#poll = calls.poll(this.#epoll, () => this.#onReadable())
    this.#poll.unref()
  }

  watch(socket: Socket, memory: LentMemory, onRead: PollReader): void {
    if (this.#left > 0) {
      this.#left--
      return
    }
    const descriptor = descriptorOf(socket)
    if (descriptor === undefined || socket.destroyed || socket.isPaused()) return
    let polled = this.#sockets[descriptor]
    if (polled === undefined || polled.socket !== socket) polled = this.#add(descriptor, socket, memory, onRead)
    if (!polled.isWatched) {
      if (!this.#control(EPOLL_CTL_ADD, descriptor)) return
      if (this.#watched++ === 0) this.#poll.ref()
      polled.isWatched = true
    }
    polled.letNodeRead(false)
  }

  #add(descriptor: number, socket: Socket, memory: LentMemory, onRead: PollReader): PolledSocket {
    const polled = new PolledSocket(descriptor, socket, memory, onRead)
    this.#sockets[descriptor] = polled
    // The kernel has forgotten the descriptor by then.
    socket.once('close', () => {
      if (polled.isWatched) this.#unwatched(polled)
      if (this.#sockets[descriptor] === polled) this.#sockets[descriptor] = undefined
    })
    return polled
  }

  #control(operation: number, descriptor: number): boolean {
    this.#eventWords[0] = WATCHED_EVENTS
    this.#eventWords[DATA_WORD] = descriptor
    return this.#calls.epollControl(this.#epoll, operation, descriptor, this.#event) === 0
  }

  #unwatched(polled: PolledSocket): void {
    polled.isWatched = false
    if (--this.#watched === 0) this.#poll.unref()
  }

  /** Node reads on, from the next byte, unless it is paused: then when it is resumed. */
  unwatch(socket: Socket): void {
    const descriptor = descriptorOf(socket)
    if (descriptor === undefined) return
    const polled = this.#sockets[descriptor]
    if (polled === undefined || polled.socket !== socket || !polled.isWatched) return
    this.#control(EPOLL_CTL_DEL, descriptor)
    this.#unwatched(polled)
    if (!polled.handle.reading && !socket.isPaused()) polled.letNodeRead(true)
  }

  /**
   * Called by the event loop itself: what is thrown here would end the process. Ticks and promises of readers have their turn when node has
   * its own, which is before immediates and before the loop sleeps.
   */
  #onReadable(): void {
    try {
      this.#readAll()
    } catch (thrown) {
      throwLater(thrown)
    }
  }

  /** While much is to be read, to go on costs less than a callback of the event loop. */
  #readAll(): void {
    let reads = 0
    let count: number
    do {
      count = this.#readInRow(MAX_EVENTS - reads)
      reads += count
    } while (count >= MANY_READS && reads < MAX_EVENTS)
    if (this.#left === 0) this.#judge(reads)
  }

  /** What comes while much is read is read in the same row: then more is written in a row, and peers are woken less often. */
  #readInRow(most: number): number {
    const told = followers
    for (const follower of told) follower.beforeReads()
    try {
      let reads = 0
      let count: number
      do {
        count = this.#readSome(most - reads)
        reads += count
      } while (count >= MANY_READS && reads < most)
      return reads
    } finally {
      for (const follower of told) follower.afterReads()
    }
  }

  #readSome(most: number): number {
    const count = this.#calls.epollWait(this.#epoll, this.#eventsAddress, most, 0)
    const batch = count >= MIN_BATCH ? this.#readBatch() : undefined
    for (let i = 0; i < count; i++) {
      const polled = this.#readable(i)
      if (polled === undefined) continue
      if (batch === undefined) this.#read(polled)
      else {
        this.#batched[batch.count] = polled
        batch.add(polled.descriptor)
        if (batch.isFull) this.#readTogether(batch)
      }
    }
    if (batch !== undefined) this.#readTogether(batch)
    return count
  }

  #readBatch(): ReadBatch | undefined {
    if (this.#batch === undefined) {
      const batch = ioBatch()
      if (batch !== undefined) this.#batch = new ReadBatch(batch)
    }
    return this.#batch
  }

  /** The socket of an event, unless it is one for node. */
  #readable(event: number): PolledSocket | undefined {
    const words = this.#words
    const polled = this.#sockets[words[event * EVENT_WORDS + DATA_WORD] as number]
    // One that was read before may have closed it.
    if (polled === undefined || !polled.isWatched || polled.isDestroyed) return undefined
    // Node knows what to do with an end, a hang-up or an error, which is still there for it to read.
    if (words[event * EVENT_WORDS] !== EPOLLIN || this.#left > 0 || polled.isPaused) {
      this.unwatch(polled.socket)
      return undefined
    }
    // It was resumed, which has node read too.
    if (polled.handle.reading) polled.letNodeRead(false)
    return polled
  }

  #judge(count: number): void {
    this.#reads += count
    if (++this.#callbacks < JUDGED_CALLBACKS) return
    if (this.#reads < MIN_READS * JUDGED_CALLBACKS) this.#left = LEFT_READS
    this.#callbacks = 0
    this.#reads = 0
  }

  #read(polled: PolledSocket): void {
    const { descriptor, memory } = polled
    const length = this.#calls.recv(descriptor, polled.address, memory.bytes.length, MSG_DONTWAIT)
    this.#onResult(polled, memory, length < 0 ? -this.#calls.errno() : length)
  }

  #readTogether(batch: ReadBatch): void {
    const { count } = batch
    batch.read()
    for (let i = 0; i < count; i++) {
      const polled = this.#batched[i] as PolledSocket
      this.#batched[i] = undefined
      // One before may have closed it. If it was paused, or node is to read it, this came before.
      if (polled.isDestroyed) continue
      const result = batch.result(i)
      if (result === NOT_DONE) this.#read(polled)
      else this.#onResult(polled, batch.memory(i), result)
    }
  }

  /** `result` is how many bytes came, or the negative number of an error. */
  #onResult(polled: PolledSocket, memory: LentMemory, result: number): void {
    if (result > 0) {
      try {
        polled.onRead(memory.part(result), polled.socket)
      } catch (thrown) {
        // The others are read all the same.
        throwLater(thrown)
      }
      // There may be more, of which it would not tell.
      const isFull = result === memory.bytes.length
      if (isFull && polled.isWatched && !polled.isDestroyed) this.#control(EPOLL_CTL_MOD, polled.descriptor)
      return
    }
    if (result === 0) {
      this.unwatch(polled.socket)
      return
    }
    if (result === -EAGAIN) return
    // It came since the event was told: the kernel would tell node of an end.
    const code = getSystemErrorName(result)
    polled.socket.destroy(Object.assign(new Error(`read ${code}`), { code, errno: result, syscall: 'read' }))
  }
}

/** Where node can take it. */
function throwLater(thrown: unknown): void {
  setImmediate(() => {
    throw thrown
  })
}

let poll: SocketPoll | undefined
let isMade = false

/** The one of this thread; undefined where there is none, and node reads as always. */
function socketPoll(): SocketPoll | undefined {
  if (!isMade) {
    isMade = true
    poll = make()
  }
  return poll
}

function make(): SocketPoll | undefined {
  const calls = libc()
  // A worker may be ended at any time, and its event loop goes on for a while: a callback into JavaScript that may not run ends the process.
  if (calls instanceof MeshError || !isMainThread) return undefined
  try {
    return new SocketPoll(calls)
  } catch {
    // No descriptor is left, say. Node's own way is slower, and as good.
    return undefined
  }
}

/**
 * Reads a plain, connected socket in the place of node, which it was until now, into `memory`, or where many are read at once into one of their own, and
 * lends `onRead` what came. Until the socket is paused, node must read (`readByNode`), or the socket ends or fails: then it is
 * node that reads, and this may be called again.
 */
export function readByPoll(socket: Socket, memory: LentMemory, onRead: PollReader): void {
  socketPoll()?.watch(socket, memory, onRead)
}

/** Gives a socket back to node. */
export function readByNode(socket: Socket): void {
  poll?.unwatch(socket)
}
