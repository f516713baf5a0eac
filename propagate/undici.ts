import { subscribe } from 'node:diagnostics_channel'
import { carry } from './carry.ts'
import { type CallContext, currentContext, runIn } from './context.ts'
import { replace } from './emitters.ts'

/** A request of undici as it is announced: headers are names and values by turns, in old versions one text. */
interface UndiciRequest {
  headers: string | readonly unknown[]
  addHeader(name: string, value: string): unknown
}
type Dispatch = (this: object, options: unknown, handler: object, ...rest: unknown[]) => boolean

/** `fetch`, and any undici of the application's own. */
export function installUndici(): void {
  subscribe('undici:request:create', (message) => {
    if (currentContext() === undefined) return
    const { request } = message as { request: UndiciRequest }
    let own: Set<string> | undefined
    carry({
      has: (name) => {
        own ??= namesOf(request.headers)
        return own.has(name)
      },
      set: (name, value) => request.addHeader(name, value),
    })
  })
}

function namesOf(headers: UndiciRequest['headers']): Set<string> {
  const names =
    typeof headers === 'string'
      ? headers.split('\r\n').map((line) => line.slice(0, Math.max(0, line.indexOf(':'))))
      : headers.filter((_, i) => i % 2 === 0).map(String)
  return new Set(names.map((name) => name.toLowerCase()))
}

/**
 * A pool with a bound keeps requests and sends them when another is done, in that one's context: so each goes on in the context
 * it was first dispatched in.
 */
export function installUndiciPackage(module: unknown): void {
  let prototype = (module as { Client?: { prototype?: object } }).Client?.prototype
  while (prototype !== undefined && prototype !== null && !Object.hasOwn(prototype, 'dispatch')) {
    prototype = Object.getPrototypeOf(prototype) as object
  }
  if (prototype === undefined || prototype === null) return
  const contexts = new WeakMap<object, { context: CallContext | undefined }>()
  replace<Dispatch>(prototype, 'dispatch', (original) => {
    return function dispatch(options, handler, ...rest) {
      if (typeof handler !== 'object' || handler === null) return original.call(this, options, handler, ...rest)
      const context = currentContext()
      const first = contexts.get(handler)
      if (first === undefined) contexts.set(handler, { context })
      else if (first.context !== context) {
        return runIn(first.context, () => original.call(this, options, handler, ...rest))
      }
      return original.call(this, options, handler, ...rest)
    }
  })
}
