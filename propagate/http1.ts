import http, { type ClientRequest } from 'node:http'
import https from 'node:https'
import { carry } from './carry.ts'
import { currentContext } from './context.ts'
import { replace } from './emitters.ts'

type Request = (...args: unknown[]) => ClientRequest

/** Calls by `http.request`, `http.get` and their twins of https. */
export function installHttp1(): void {
  for (const module of [http, https]) {
    replace<Request>(module, 'request', (original) => {
      return function request(...args) {
        if (currentContext() === undefined) return original(...args)
        const outgoing = original(...withEarlyHeaders(args))
        if (!outgoing.headersSent) {
          carry({ has: (name) => outgoing.hasHeader(name), set: (name, value) => outgoing.setHeader(name, value) })
        }
        return outgoing
      }
    })
    replace<Request>(module, 'get', () => {
      return function get(...args) {
        const outgoing = (module.request as Request)(...args)
        outgoing.end()
        return outgoing
      }
    })
  }
}

interface Options {
  headers?: readonly unknown[] | Record<string, unknown>
}

/**
 * Headers as a list, and those with Expect, are written in the constructor: what is to be added must be in the arguments. Copies
 * whatever it changes.
 */
function withEarlyHeaders(args: unknown[]): unknown[] {
  const at = typeof args[0] === 'string' || args[0] instanceof URL ? 1 : 0
  const options = args[at] as Options | null | undefined
  if (typeof options !== 'object' || options === null) return args
  const { headers } = options
  if (Array.isArray(headers)) {
    const isFlat = !Array.isArray(headers[0])
    const names = isFlat ? headers.filter((_, i) => i % 2 === 0) : headers.map(([name]) => name as unknown)
    const own = new Set(names.map((name) => String(name).toLowerCase()))
    const all = [...headers]
    carry({
      has: (name) => own.has(name),
      set: (name, value) => all.push(...(isFlat ? [name, value] : [[name, value]])),
    })
    return changed(args, at, { ...options, headers: all })
  }
  if (typeof headers !== 'object' || headers === null) return args
  const own = new Set(Object.keys(headers).map((name) => name.toLowerCase()))
  if (!own.has('expect')) return args
  const all = { ...headers } as Record<string, unknown>
  carry({
    has: (name) => own.has(name),
    set: (name, value) => {
      all[name] = value
    },
  })
  return changed(args, at, { ...options, headers: all })
}

function changed(args: unknown[], at: number, options: Options): unknown[] {
  const copy = [...args]
  copy[at] = options
  return copy
}
