import { performance } from 'node:perf_hooks'

/** The event loop of this thread, as far as one may ask it or hold it up. */
export interface EventLoop {
  /** Milliseconds in which it had nothing to do and slept, since it began. */
  idleMs(): number
  /** Stops the whole thread for at least `ms`; what comes meanwhile is there afterwards. */
  stop(ms: number): void
}

const never = new Int32Array(new SharedArrayBuffer(4))

export const systemEventLoop: EventLoop = {
  idleMs: () => performance.nodeTiming.idleTime,
  stop(ms) {
    Atomics.wait(never, 0, 0, ms)
  },
}
