import type { EventEmitter } from 'node:events'
import { Server as HttpServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { createSecureServer, createServer } from 'node:http2'
import { Server as HttpsServer } from 'node:https'
import { type Carried, carriedFrom, inNameOf } from './context.ts'

/** Events of a server that begin a call, with what tells its fields as first argument. */
const CALLS = new Set<unknown>(['request', 'upgrade', 'connect', 'checkContinue', 'checkExpectation'])

/** From now on every server of this process has its calls handled in their own name. */
export function patchServers(names: readonly string[]): void {
  for (const prototype of [HttpServer.prototype, HttpsServer.prototype]) {
    patchEmit(prototype, (event, args) => {
      if (!CALLS.has(event)) return undefined
      const [request, response] = args as [IncomingMessage, EventEmitter]
      const carried = carriedFrom(request.headers, names)
      // Bodies are read, and answers closed, by the connection: what listens to them is the call's all the same.
      bind(request, carried)
      if (event === 'request' || event === 'checkContinue') bind(response, carried)
      return carried
    })
  }
  // Its classes are not exported. Whoever uses requests instead of streams gets them from the event of the stream.
  for (const server of [createServer(), createSecureServer()]) {
    patchEmit(Object.getPrototypeOf(server) as EventEmitter, (event, args) => {
      if (event !== 'stream') return undefined
      const [stream, headers] = args as [EventEmitter, IncomingHttpHeaders]
      const carried = carriedFrom(headers, names)
      bind(stream, carried)
      return carried
    })
  }
}

function patchEmit(
  prototype: EventEmitter,
  carriedBy: (event: unknown, args: readonly unknown[]) => Carried | undefined,
): void {
  const { emit } = prototype
  prototype.emit = function (this: EventEmitter, event: string | symbol, ...args: unknown[]): boolean {
    const carried = carriedBy(event, args)
    if (carried === undefined) return emit.call(this, event, ...args)
    return inNameOf(carried, () => emit.call(this, event, ...args))
  }
}

/** Whatever this one emits is heard in the name of the call. */
function bind(emitter: EventEmitter, carried: Carried): void {
  const { emit } = emitter
  emitter.emit = function (this: EventEmitter, event: string | symbol, ...args: unknown[]): boolean {
    return inNameOf(carried, () => emit.call(this, event, ...args))
  }
}
