/* Loaded into a child before its program, with --expose-gc: tells the parent that asks what is held after a collection. */

process.on('message', () => {
  // What the first finds of buffers is let go while the program runs on; the second ends that.
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  process.send(heapUsed + external)
})
// Who may ask keeps nobody alive. Threads load this too, and have no channel.
process.channel?.unref()
