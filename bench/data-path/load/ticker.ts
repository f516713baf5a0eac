import { parentPort, workerData } from 'node:worker_threads'

/*
 * Tells its parent when to send, until it is ended. Timers of the event loop come up to a millisecond late; waiting on a futex that
 * nobody wakes is exact to some fifty microseconds, but may not block the thread that reads answers.
 */

const { startMs, intervalMs } = workerData as { startMs: number; intervalMs: number }
const never = new Int32Array(new SharedArrayBuffer(4))
const nowMs = () => Number(process.hrtime.bigint()) / 1e6

for (let i = 0; ; i++) {
  const restMs = startMs + i * intervalMs - nowMs()
  if (restMs > 0) Atomics.wait(never, 0, 0, restMs)
  parentPort?.postMessage(null)
}
