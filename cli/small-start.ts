import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * While a proxy starts it loads modules and reads configuration, once: of no use to it are the optimised code and the
 * large young generation that this would leave behind for good, a fifth of the memory of an idle proxy. V8 looks at both
 * flags whenever it would grow or optimise, so they hold from the next time on.
 */
export function beginSmallStart(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--no-opt')
}

/** From here on all is as V8 has it. */
export function endSmallStart(): void {
  setFlagsFromString('--opt')
  setFlagsFromString('--semi-space-growth-factor=2')
}

/**
 * Has V8 clear away what reading the configuration left, and give back the memory: by itself it may do so only when it next
 * runs out, which an idle proxy never does. It stops this thread for some 15 ms, so that it belongs before the first listener.
 */
export function giveBackMemory(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('globalThis.gc')
  setFlagsFromString('--no-expose-gc')
  if (typeof collect === 'function') collect()
}
