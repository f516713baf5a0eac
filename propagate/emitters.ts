import type { EventEmitter } from 'node:events'
import { type CallContext, currentContext, runIn } from './context.ts'

/** Under which a request, response or stream of a server keeps its context. */
const CONTEXT = Symbol('lateen.propagate.context')

type Emit = (this: EventEmitter, event: string | symbol, ...args: unknown[]) => boolean

interface Bound extends EventEmitter {
  [CONTEXT]?: CallContext
}

/** Puts a function in the place of one of an object, made from the old one: hidden from listings, as methods are. */
export function replace<T>(target: object, name: string, make: (original: T) => T): void {
  const original = (target as Record<string, unknown>)[name] as T
  const value = make(original)
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: isListed(target, name) })
}

function isListed(target: object, name: string): boolean {
  return Object.prototype.propertyIsEnumerable.call(target, name)
}

/** From now on listeners of this emitter, of a class of `bindClass`, are called in the context. */
export function bind(emitter: EventEmitter, context: CallContext): void {
  ;(emitter as Bound)[CONTEXT] = context
}

/**
 * Lets emitters of a class that were bound call their listeners in their context. What arrives on a connection is told in the
 * context of whoever opened the connection, so that without this a listener for the body's end would know of no call.
 */
export function bindClass(prototype: object): void {
  replace<Emit>(prototype, 'emit', (original) => {
    return function emit(this: Bound, ...args) {
      const context = this[CONTEXT]
      if (context === undefined) return original.apply(this, args)
      if (args[0] === 'finish' || args[0] === 'close') if ('writableEnded' in this) context.noteAnswered()
      if (context === currentContext()) return original.apply(this, args)
      return runIn(context, () => original.apply(this, args))
    }
  })
}

/** Calls `around` for the events that `isMeant`, which calls the listeners when it likes. */
export function interceptClass(
  prototype: object,
  isMeant: (event: unknown) => boolean,
  around: (emitter: EventEmitter, args: readonly unknown[], emit: () => boolean) => boolean,
): void {
  replace<Emit>(prototype, 'emit', (original) => {
    return function emit(this: EventEmitter, ...args) {
      if (!isMeant(args[0])) return original.apply(this, args)
      return around(this, args, () => original.apply(this, args))
    }
  })
}
