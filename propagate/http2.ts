import http2 from 'node:http2'
import { carry, shorterGrpcTimeout } from './carry.ts'
import { currentContext } from './context.ts'
import { replace } from './emitters.ts'
import { isGrpcJsCarried } from './grpc-js.ts'
import { GRPC_TIMEOUT } from './names.ts'

type Headers = Record<string | symbol, unknown>
type Request = (this: object, headers?: Headers | unknown[] | null, ...rest: unknown[]) => unknown
type Connect = (...args: unknown[]) => object

/** Calls by sessions of `http2.connect`, whose class is learnt from the first. */
export function installHttp2(): void {
  const known = new WeakSet<object>()
  const promisified = Object.getOwnPropertySymbols(http2.connect)
  replace<Connect>(http2, 'connect', (original) => {
    function connect(...args: unknown[]): object {
      const session = original(...args)
      const prototype = Object.getPrototypeOf(session) as object
      if (!known.has(prototype)) {
        known.add(prototype)
        learnSession(prototype)
      }
      return session
    }
    // util.promisify(http2.connect) resolves to the session because of one of these.
    for (const symbol of promisified) {
      Object.defineProperty(connect, symbol, {
        value: (...args: unknown[]) =>
          new Promise((resolve, reject) => {
            const session = connect(...args, () => {
              ;(session as NodeJS.EventEmitter).off('error', reject)
              resolve(session)
            })
            ;(session as NodeJS.EventEmitter).once('error', reject)
          }),
      })
    }
    return connect
  })
}

function learnSession(prototype: object): void {
  replace<Request>(prototype, 'request', (original) => {
    return function request(headers, ...rest) {
      if (currentContext() === undefined) return original.call(this, headers, ...rest)
      return original.call(this, Array.isArray(headers) ? withMoreInList(headers) : withMore(headers ?? {}), ...rest)
    }
  })
}

function withMore(headers: Headers): Headers {
  const own = new Map(Object.keys(headers).map((name) => [name.toLowerCase(), name]))
  const value = (name: string): string | undefined => {
    const written = own.get(name)
    return written === undefined ? undefined : String(headers[written])
  }
  if (isGrpcJsCarried(value('user-agent'))) return headers
  // A copy with its symbols, which say what is sensitive.
  const all = { ...headers }
  add(value, (name, text) => {
    delete all[own.get(name) ?? name]
    all[name] = text
  })
  return all
}

/** Names and values by turns. */
function withMoreInList(headers: unknown[]): unknown[] {
  const own = new Map<string, number>()
  for (let i = 0; i + 1 < headers.length; i += 2) own.set(String(headers[i]).toLowerCase(), i + 1)
  const value = (name: string): string | undefined => {
    const at = own.get(name)
    return at === undefined ? undefined : String(headers[at])
  }
  if (isGrpcJsCarried(value('user-agent'))) return headers
  const all = [...headers]
  add(value, (name, text) => {
    const at = own.get(name)
    if (at === undefined) all.push(name, text)
    else all[at] = text
  })
  // The list has its symbols too.
  for (const symbol of Object.getOwnPropertySymbols(headers)) {
    Object.assign(all, { [symbol]: (headers as unknown as Headers)[symbol] })
  }
  return all
}

function add(value: (name: string) => string | undefined, set: (name: string, value: string) => void): void {
  carry({ has: (name) => value(name) !== undefined, set })
  if (value('content-type')?.startsWith('application/grpc') !== true) return
  const shorter = shorterGrpcTimeout(value(GRPC_TIMEOUT))
  if (shorter !== undefined) set(...shorter)
}
