import { systemClock } from '../lib/clock.ts'
import { carryFrom } from './carry.ts'
import { currentContext, runIn } from './context.ts'
import { replace } from './emitters.ts'

/** As much of @grpc/grpc-js as is met here. */
interface GrpcJs {
  Channel: { prototype: { createCall: CreateCall } }
}
interface Metadata {
  get(name: string): unknown[]
  set(name: string, value: string | Buffer): void
  clone(): Metadata
}
interface Call {
  start(metadata: Metadata, listener: unknown): void
}
type CreateCall = (this: object, method: string, deadline: Date | number, ...rest: unknown[]) => Call

let isInstalled = false

/** Whether a request of HTTP/2 comes from @grpc/grpc-js, and has got what it hands on when its call was made. */
export function isGrpcJsCarried(userAgent: string | undefined): boolean {
  return isInstalled && userAgent?.includes('grpc-node-js/') === true
}

/**
 * A call of gRPC waits for names, connections and picks that other calls began, and goes on in their contexts: so it gets its
 * headers when it is made, and its deadline, which is then one that the client keeps too.
 */
export function installGrpcJs(module: unknown): void {
  const { Channel } = module as Partial<GrpcJs>
  if (typeof Channel?.prototype?.createCall !== 'function') return
  isInstalled = true
  replace<CreateCall>(Channel.prototype, 'createCall', (original) => {
    return function createCall(method, deadline, ...rest) {
      const context = currentContext()
      if (context === undefined) return original.call(this, method, deadline, ...rest)
      const leftMs = context.leftMs()
      const call = original.call(this, method, leftMs === undefined ? deadline : earlier(deadline, leftMs), ...rest)
      replace<Call['start']>(call, 'start', (start) => (metadata, listener) => {
        const all = metadata.clone()
        runIn(context, () => start.call(call, withCarried(all), listener))
      })
      return call
    }
  })
}

function withCarried(metadata: Metadata): Metadata {
  const context = currentContext()
  try {
    if (context !== undefined) {
      carryFrom(context, {
        has: (name) => metadata.get(name).length > 0,
        set: (name, value) => metadata.set(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value),
      })
    }
  } catch {
    // A call without a trace is better than none.
  }
  return metadata
}

/** `deadline` is a date or milliseconds since the epoch, and Infinity when there is none. */
function earlier(deadline: Date | number, leftMs: number): Date | number {
  const bound = systemClock.wallMs() + leftMs
  return Number(deadline) <= bound ? deadline : bound
}
