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

/** How many bytes of bytecode V8 may put into one function that it optimises, in the place of calls; of its own accord 920. */
const INLINED_BYTES = 4000

/**
 * From here on all is as V8 has it, but that more calls become part of their callers: a request passes through many small functions,
 * and code that calls of the proxy's own share with it has more than one kind of object to do with (docs/decisions/0020).
 */
export function endSmallStart(): void {
  setFlagsFromString('--opt')
  setFlagsFromString('--semi-space-growth-factor=2')
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTES}`)
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
