import { fileURLToPath } from 'node:url'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { spread } from '../statistics.ts'

/*
 * Two threads on two cores hand a number back and forth through memory. Prints how many nanoseconds that takes there and back, the median of
 * some short batches: the first ones are not compiled, and in some the threads may have shared a core.
 */

const BATCHES = 100
const TURNS = 1000

const shared = isMainThread ? new Int32Array(new SharedArrayBuffer(4)) : (workerData as Int32Array)
if (isMainThread) {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: shared })
  worker.once('online', () => {
    process.stdout.write(`${lead()}\n`)
  })
} else follow()

function lead(): number {
  const nanos: number[] = []
  for (let batch = 0; batch < BATCHES; batch++) {
    const start = process.hrtime.bigint()
    for (let i = batch * TURNS; i < (batch + 1) * TURNS; i++) {
      Atomics.store(shared, 0, 2 * i + 1)
      while (Atomics.load(shared, 0) !== 2 * i + 2);
    }
    nanos.push(Number(process.hrtime.bigint() - start) / TURNS)
  }
  return spread(nanos).median
}

function follow(): void {
  for (let i = 0; i < BATCHES * TURNS; i++) {
    while (Atomics.load(shared, 0) !== 2 * i + 1);
    Atomics.store(shared, 0, 2 * i + 2)
  }
}
