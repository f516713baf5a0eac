import type { Socket } from 'node:net'
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts'

/** How much has passed from the first socket to the second, and back. */
export interface PassedBytes {
  receivedBytes: number
  sentBytes: number
}

/**
 * Joins two sockets: bytes pass both ways as they come, each side's close of its writing half is passed on, and the
 * slower side holds the faster one back. Both must have been made with allowHalfOpen.
 */
export class Tunnel {
  readonly #a: Socket
  readonly #b: Socket
  readonly #wheel: TimerWheel
  readonly #idleTimeoutMs: number
  readonly #timer: WheelTimer
  readonly #onClosed: () => void
  readonly #passed: PassedBytes
  #isClosed = false
  #endedSides = 0

  /** `idleTimeoutMs` 0 means never. `onClosed` is called once, when both directions are over; `passed` is counted in. */
  constructor(
    a: Socket,
    b: Socket,
    wheel: TimerWheel,
    idleTimeoutMs: number,
    onClosed: () => void,
    passed: PassedBytes = { receivedBytes: 0, sentBytes: 0 },
  ) {
    this.#a = a
    this.#b = b
    this.#wheel = wheel
    this.#idleTimeoutMs = idleTimeoutMs
    this.#onClosed = onClosed
    this.#passed = passed
    this.#timer = new WheelTimer(() => this.#close())
    this.#pipe(a, b, 'receivedBytes')
    this.#pipe(b, a, 'sentBytes')
    this.#touch()
    a.resume()
    b.resume()
  }

  #pipe(from: Socket, to: Socket, way: keyof PassedBytes): void {
    from.on('data', (chunk: Buffer) => {
      this.#touch()
      this.#passed[way] += chunk.length
      if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => from.resume())
    const onEnd = () => {
      to.end()
      if (++this.#endedSides === 2) this.#finish()
    }
    // Who closed its half before saying anything ended while paused, before anyone listened.
    if (from.readableEnded) onEnd()
    else from.on('end', onEnd)
    from.on('error', () => this.#close())
    from.on('close', () => {
      // A close without an end is a reset: the other side must not wait for more.
      if (!from.readableEnded) this.#close()
    })
  }

  #touch(): void {
    if (this.#idleTimeoutMs > 0) this.#wheel.arm(this.#timer, this.#idleTimeoutMs)
  }

  #close(): void {
    this.#a.destroy()
    this.#b.destroy()
    this.#finish()
  }

  #finish(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#wheel.disarm(this.#timer)
    this.#onClosed()
  }
}
