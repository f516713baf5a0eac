import { subscribe } from 'node:diagnostics_channel'
import http, { type ClientRequest, type OutgoingHttpHeaders } from 'node:http'
import http2, { type ClientHttp2Session } from 'node:http2'
import https from 'node:https'
import { type Carried, current, leftMs } from './context.ts'
import {
  EXPECTED_TIMEOUT,
  formatExpectedTimeout,
  formatGrpcTimeout,
  GRPC_TIMEOUT,
  parseGrpcTimeout,
} from './deadline.ts'

/** A call that leaves: what the application itself says goes before what is carried. */
interface Leaving {
  has(name: string): boolean
  set(name: string, value: string): void
}

function carryOver(carried: Carried, leaving: Leaving): void {
  for (const [name, value] of carried.fields) if (!leaving.has(name)) leaving.set(name, value)
  const ms = leftMs(carried)
  if (ms !== undefined && !leaving.has(EXPECTED_TIMEOUT)) leaving.set(EXPECTED_TIMEOUT, formatExpectedTimeout(ms))
}

/** From now on every call of this process takes along what the call brought in whose name it is made. */
export function patchClients(): void {
  patchHttp(http)
  patchHttp(https)
  patchHttp2()
  patchUndici()
}

// --- node:http and node:https ---

type Request = (...args: unknown[]) => ClientRequest

function patchHttp(module: { request: unknown; get: unknown }): void {
  const original = module.request as Request
  const request: Request = (...args) => {
    const carried = current()
    if (carried === undefined) return original(...args)
    const outgoing = original(...args.map((arg) => withCarried(arg, carried)))
    if (!outgoing.headersSent) {
      carryOver(carried, {
        has: (name) => outgoing.hasHeader(name),
        set: (name, value) => outgoing.setHeader(name, value),
      })
    }
    return outgoing
  }
  module.request = request
  // Node's own calls its own request().
  module.get = (...args: unknown[]) => {
    const outgoing = request(...args)
    outgoing.end()
    return outgoing
  }
}

/** Fields that are given as a list are written at once: they are completed before. */
function withCarried(options: unknown, carried: Carried): unknown {
  const { headers } = (typeof options === 'object' && options !== null ? options : {}) as { headers?: unknown }
  if (!Array.isArray(headers)) return options
  const isNested = Array.isArray(headers[0])
  const names = new Set(
    (isNested ? headers.map((pair) => pair[0]) : headers.filter((_, i) => i % 2 === 0)).map((name) =>
      String(name).toLowerCase(),
    ),
  )
  const added: unknown[] = []
  carryOver(carried, {
    has: (name) => names.has(name),
    set: (name, value) => added.push(...(isNested ? [[name, value]] : [name, value])),
  })
  // Node copies the options that are its own.
  return { ...(options as object), headers: [...headers, ...added] }
}

// --- node:http2, on which @grpc/grpc-js rides ---

function patchHttp2(): void {
  const { connect } = http2
  let isPatched = false
  const patched = (...args: unknown[]): ClientHttp2Session => {
    const session = (connect as (...all: unknown[]) => ClientHttp2Session)(...args)
    // The class is not exported.
    if (!isPatched) {
      isPatched = true
      patchSessions(Object.getPrototypeOf(session) as ClientHttp2Session)
    }
    return session
  }
  http2.connect = patched as typeof http2.connect
}

function patchSessions(prototype: ClientHttp2Session): void {
  const { request } = prototype
  prototype.request = function (this: ClientHttp2Session, headers, options) {
    const carried = current()
    // Newer versions of node take a list, too: that is left to the application.
    if (carried === undefined || Array.isArray(headers)) return request.call(this, headers, options)
    return request.call(this, completed(headers ?? {}, carried), options)
  }
}

function completed(given: OutgoingHttpHeaders, carried: Carried): OutgoingHttpHeaders {
  const all: OutgoingHttpHeaders = { ...given }
  const byName = new Map(Object.keys(all).map((name) => [name.toLowerCase(), name]))
  carryOver(carried, {
    has: (name) => byName.has(name),
    set: (name, value) => {
      all[name] = value
    },
  })
  const ms = leftMs(carried)
  const type = all[byName.get('content-type') ?? '']
  if (ms !== undefined && typeof type === 'string' && type.startsWith('application/grpc')) {
    const name = byName.get(GRPC_TIMEOUT) ?? GRPC_TIMEOUT
    const own = parseGrpcTimeout(String(all[name] ?? ''))
    if (own === undefined || own > ms) all[name] = formatGrpcTimeout(ms)
  }
  return all
}

// --- fetch, and undici as applications install it ---

/** As undici tells of it: `headers` is one text in older versions. */
interface UndiciRequest {
  readonly headers: string | readonly (string | Buffer)[]
  addHeader(name: string, value: string): void
}

function patchUndici(): void {
  subscribe('undici:request:create', (message) => {
    const carried = current()
    if (carried === undefined) return
    const { request } = message as { request: UndiciRequest }
    const names = namesIn(request.headers)
    carryOver(carried, { has: (name) => names.has(name), set: (name, value) => request.addHeader(name, value) })
  })
}

function namesIn(headers: UndiciRequest['headers']): ReadonlySet<string> {
  const names =
    typeof headers === 'string'
      ? headers.split('\r\n').map((line) => line.slice(0, Math.max(0, line.indexOf(':'))))
      : headers.filter((_, i) => i % 2 === 0).map(String)
  return new Set(names.map((name) => name.toLowerCase()))
}
