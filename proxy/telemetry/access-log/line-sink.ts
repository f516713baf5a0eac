import { closeSync, openSync, write, writeSync } from 'node:fs'
import type { Clock } from '../../../lib/clock.ts'
import type { Metric, MetricStore } from '../../../lib/metrics/store.ts'
import type { Sink } from '../sinks.ts'

/** How long lines are held back for others to come. */
const FLUSH_MS = 1000
/** What is written in one go: to a file as much as this, to a pipe what it takes undivided (PIPE_BUF), since other threads write too. */
const FILE_CHUNK_BYTES = 64 * 1024
const PIPE_CHUNK_BYTES = 4096
/** What is held at most, for a disk that does not keep up. */
const MAX_HELD_BYTES = 4 * 1024 * 1024

const STANDARD: Readonly<Record<string, number>> = { '/dev/stdout': 1, '/dev/stderr': 2 }

/** Whole lines that leave together. */
interface Chunk {
  text: string
  lines: number
}

/**
 * Appends lines to a file, for all logs of one thread that go there. Every write is of whole lines to a file that is open for
 * appending, so threads do not cut each other's. When the disk is too slow the oldest lines go, and are counted.
 */
export class LineSink implements Sink {
  readonly #path: string
  readonly #clock: Clock
  readonly #completed: Metric
  readonly #failed: Metric
  readonly #reopenFailed: Metric
  readonly #dropped: Metric
  readonly #chunkBytes: number
  readonly #held: Chunk[] = []
  #heldBytes = 0
  #open: Chunk | undefined
  #fd: number
  #isTimed = false
  #isWriting = false
  #isClosed = false
  /** Told to while a write was under way. */
  #reopens = false

  /** Throws where the file cannot be opened. */
  constructor(path: string, clock: Clock, metrics: MetricStore) {
    this.#path = path
    this.#clock = clock
    this.#completed = metrics.counter('filesystem.write_completed')
    this.#failed = metrics.counter('filesystem.write_failed')
    this.#reopenFailed = metrics.counter('filesystem.reopen_failed')
    this.#dropped = metrics.counter('access_logs.file.lines_dropped')
    this.#chunkBytes = path in STANDARD ? PIPE_CHUNK_BYTES : FILE_CHUNK_BYTES
    this.#fd = openLog(path)
  }

  /** A whole line, its end included, as bytes of one character each. */
  write(line: string): void {
    if (this.#isClosed) {
      this.#dropped.inc()
      return
    }
    let chunk = this.#open
    if (chunk === undefined || chunk.text.length + line.length > this.#chunkBytes) {
      chunk = { text: '', lines: 0 }
      this.#open = chunk
      this.#held.push(chunk)
      if (this.#held.length > 1) this.#flush()
    }
    chunk.text += line
    chunk.lines++
    this.#heldBytes += line.length
    while (this.#heldBytes > MAX_HELD_BYTES && this.#held.length > 1) this.#dropOldest()
    if (!this.#isTimed) this.#setTimer()
  }

  #setTimer(): void {
    this.#isTimed = true
    this.#clock.setTimer(FLUSH_MS, () => {
      this.#isTimed = false
      this.#flush()
    })
  }

  #take(): Chunk | undefined {
    const chunk = this.#held.shift()
    if (chunk === undefined) return undefined
    this.#heldBytes -= chunk.text.length
    if (chunk === this.#open) this.#open = undefined
    return chunk
  }

  #dropOldest(): void {
    this.#dropped.add(this.#take()?.lines ?? 0)
  }

  #flush(): void {
    if (this.#isWriting || this.#isClosed) return
    const chunk = this.#take()
    if (chunk === undefined) return
    this.#isWriting = true
    this.#writeOn(Buffer.from(chunk.text, 'latin1'), 0, chunk.lines)
  }

  #writeOn(bytes: Buffer, from: number, lines: number): void {
    write(this.#fd, bytes, from, bytes.length - from, null, (error, written) => {
      if (error === null && from + written < bytes.length) {
        this.#writeOn(bytes, from + written, lines)
        return
      }
      if (error?.code === 'EAGAIN' && !this.#isClosed) {
        // A pipe whose reader is slow, and that somebody has set not to block.
        this.#clock.setTimer(FLUSH_MS / 10, () => this.#writeOn(bytes, from, lines))
        return
      }
      this.#isWriting = false
      if (error === null) this.#completed.inc()
      else {
        this.#failed.inc()
        this.#dropped.add(lines)
      }
      if (this.#isClosed) this.#closeFile()
      else {
        if (this.#reopens) this.reopen()
        if (this.#held.length > 0 && (this.#held.length > 1 || !this.#isTimed)) this.#flush()
      }
    })
  }

  /** After the file was moved away: later lines go to a new one of its name. */
  reopen(): void {
    if (this.#path in STANDARD || this.#isClosed) return
    this.#reopens = this.#isWriting
    if (this.#isWriting) return
    this.#writeAll()
    const before = this.#fd
    try {
      this.#fd = openLog(this.#path)
      closeSync(before)
    } catch {
      this.#reopenFailed.inc()
    }
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#writeAll()
    if (!this.#isWriting) this.#closeFile()
  }

  /** Without waiting for others, as at the end of the process. */
  #writeAll(): void {
    for (let chunk = this.#take(); chunk !== undefined; chunk = this.#take()) {
      try {
        const bytes = Buffer.from(chunk.text, 'latin1')
        for (let from = 0; from < bytes.length; ) from += writeSync(this.#fd, bytes, from)
      } catch {
        this.#failed.inc()
        this.#dropped.add(chunk.lines)
      }
    }
  }

  #closeFile(): void {
    if (!(this.#path in STANDARD)) closeSync(this.#fd)
  }
}

function openLog(path: string): number {
  return STANDARD[path] ?? openSync(path, 'a', 0o644)
}
