import { EventEmitter } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { contextOf, runIn } from './context.ts'
import { bind, bindClass, interceptClass, replace } from './emitters.ts'

/** Events of a server that hand over a request of HTTP/1.1, and its response or, without one, its socket. */
const REQUEST_EVENTS = new Set<unknown>(['request', 'upgrade', 'connect', 'checkContinue', 'checkExpectation'])

/** Lets everything that answers a call run in its context, whatever framework is between. */
export function installInbound(): void {
  bindClass(http.IncomingMessage.prototype)
  bindClass(http.ServerResponse.prototype)
  interceptRequests(http.Server.prototype)
  interceptRequests(https.Server.prototype)
  const known = new WeakSet<object>()
  const create = (original: (...args: unknown[]) => object) =>
    function createServer(...args: unknown[]) {
      const server = original(...args)
      const prototype = Object.getPrototypeOf(server) as object
      if (!known.has(prototype)) {
        known.add(prototype)
        interceptRequests(prototype)
        interceptSessions(prototype)
      }
      return server
    }
  replace(http2, 'createServer', create)
  replace(http2, 'createSecureServer', create)
}

function interceptRequests(prototype: object): void {
  interceptClass(
    prototype,
    (event) => REQUEST_EVENTS.has(event),
    (_server, [, request, response], emit) => {
      const { rawHeaders, httpVersionMajor } = request as IncomingMessage
      // Of HTTP/2, the session's stream began the context.
      if (httpVersionMajor !== 1) return emit()
      const context = contextOf(rawHeaders)
      bind(request as EventEmitter, context)
      if (response instanceof http.ServerResponse) bind(response, context)
      // What is said over a connection that was given away is no answer that somebody waits so long for.
      else context.noteAnswered()
      return runIn(context, emit)
    },
  )
}

/** The classes of sessions and streams are not public: they are learnt from the first of each. */
function interceptSessions(prototype: object): void {
  interceptClass(
    prototype,
    (event) => event === 'session',
    (_server, [, session], emit) => {
      learnSession(Object.getPrototypeOf(session) as object)
      return emit()
    },
  )
}

const sessions = new WeakSet<object>()
const streams = new WeakSet<object>()

function learnSession(prototype: object): void {
  if (sessions.has(prototype)) return
  sessions.add(prototype)
  interceptClass(
    prototype,
    (event) => event === 'stream',
    (_session, [, stream, , , rawHeaders], emit) => {
      if (!(stream instanceof EventEmitter) || !Array.isArray(rawHeaders)) return emit()
      const streamPrototype = Object.getPrototypeOf(stream) as object
      if (!streams.has(streamPrototype)) {
        streams.add(streamPrototype)
        bindClass(streamPrototype)
      }
      const context = contextOf(rawHeaders as string[])
      bind(stream, context)
      return runIn(context, emit)
    },
  )
}
