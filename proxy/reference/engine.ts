import { Agent, createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type HttpProxy from 'http-proxy'
import { type Clock, systemClock, type Timer } from '../../lib/clock.ts'
import { type Random, systemRandom } from '../../lib/random.ts'
import { connectionFacts } from '../decide/connection-facts.ts'
import { answer } from '../decide/decision.ts'
import { changeResponse } from '../decide/field-change.ts'
import { findFilterChain } from '../decide/filter-chain.ts'
import { isGrpc } from '../decide/route.ts'
import type { EndpointPlan, HttpManagerPlan, ListenerPlan, Plan } from '../plan/plan.ts'
import { DateHeader } from '../stream/date.ts'
import { failureReply, localReply, REPLY_BODY } from '../stream/local-reply.ts'
import { ResponseHead } from '../stream/message.ts'
import { completeLocalFields, completeResponseHead } from '../stream/response-text.ts'
import { flatFields, requestHeaders, requestHeadOf, responseHeadOf } from './heads.ts'
import { Hosts } from './hosts.ts'
import { createProxy } from './http-proxy.ts'
import { ReferenceCall } from './reference-call.ts'

export interface ReferenceOptions {
  readonly clock?: Clock
  readonly random?: Random
}

/** One request on its way through http-proxy. */
interface Passage {
  readonly call: ReferenceCall
  readonly response: ServerResponse
  readonly startMs: number
  timer: Timer | undefined
  isTimedOut: boolean
}

/**
 * http-proxy as an engine to compare ours with: it serves one HTTP listener of a plan, and asks the same decision function.
 * What it does itself is sockets, parsing (node:http) and passing bytes on. It makes one try at one host; it has no mirrors,
 * no CONNECT, no TLS, no trailers and no gRPC-Web.
 */
export class ReferenceEngine {
  readonly #plan: Plan
  readonly #manager: HttpManagerPlan
  readonly #clock: Clock
  readonly #random: Random
  readonly #date: DateHeader
  readonly #hosts: Hosts
  readonly #agent = new Agent({ keepAlive: true })
  readonly #proxy: HttpProxy
  readonly #server: Server
  readonly #passages = new WeakMap<IncomingMessage, Passage>()

  constructor(plan: Plan, listener: ListenerPlan, options: ReferenceOptions = {}) {
    const filter = findFilterChain(listener, connectionFacts({ destinationPort: listener.port }))?.filter
    if (filter?.kind !== 'http') throw new Error(`listener ${listener.name} has no HTTP for plain connections`)
    this.#plan = plan
    this.#manager = filter
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
    this.#date = new DateHeader(this.#clock)
    this.#hosts = new Hosts(plan)
    this.#proxy = this.#createProxy()
    const limits = { maxHeaderSize: filter.maxRequestHeadersBytes, keepAliveTimeout: filter.idleTimeoutMs }
    this.#server = createServer(limits, (request, response) => this.#serve(request, response))
    this.#server.on('upgrade', (request, socket: Socket, first: Buffer) => this.#upgrade(request, socket, first))
  }

  /** Resolves to the port that is listened on. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, () => resolve((this.#server.address() as { port: number }).port))
    })
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#agent.destroy()
    this.#proxy.close()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #createProxy(): HttpProxy {
    // `toProxy` leaves the path as it is: else url.parse() would rewrite it.
    const proxy = createProxy({ toProxy: true, selfHandleResponse: true })
    // The last moment before http-proxy copies the head: what it thinks to know better is overwritten.
    proxy.on('start', (request, response) => this.#prepare(request, response as ServerResponse))
    proxy.on('proxyReq', (sent, request, response) => {
      // Its own watch on clients that leave listens for an event that Node has not had since 15.5, and so every upstream
      // response that nobody reads any more would stay open.
      const leave = () => {
        if (!response.writableFinished) sent.destroy()
      }
      if (response.destroyed) leave()
      else response.once('close', leave)
      const path = this.#passages.get(request)?.call.decision.path
      // It merges slashes, which is for the connection manager to decide.
      if (path !== undefined && !sent.headersSent) sent.path = path
    })
    proxy.on('proxyRes', (received, request, response) => this.#answer(received, request, response))
    proxy.on('proxyReqWs', (sent, request, socket) => {
      socket.once('close', () => sent.destroy())
      const response = this.#passages.get(request)?.response
      // Its own listener, which comes behind this event, would write the framing of a body that has none any more.
      process.nextTick(() => {
        sent.removeAllListeners('response')
        sent.once('response', (received) => {
          if (response !== undefined) this.#answer(received, request, response)
        })
      })
      sent.once('upgrade', (_response, upstream: Socket) => {
        response?.detachSocket(socket)
        socket.once('close', () => upstream.destroy())
        upstream.once('close', () => socket.destroy())
      })
    })
    proxy.on('error', (error, request) => this.#fail(error, request))
    return proxy
  }

  // === requests ===

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const passage = this.#decide(request, response)
    if (passage === undefined) return
    const { decision } = passage.call
    if (decision.delayMs > 0) this.#clock.setTimer(decision.delayMs, () => this.#carryOut(passage, request, response))
    else this.#carryOut(passage, request, response)
  }

  /** undefined when the request was answered, since it is none for us. */
  #decide(request: IncomingMessage, response: ServerResponse): Passage | undefined {
    response.sendDate = false
    const head = requestHeadOf(request)
    if ('detail' in head) {
      response.writeHead(head.status, ['connection', 'close', 'content-length', '0']).end()
      return undefined
    }
    const call = new ReferenceCall(this.#plan, this.#manager, request, head, this.#random)
    const passage = { call, response, startMs: this.#clock.nowMs(), timer: undefined, isTimedOut: false }
    this.#passages.set(request, passage)
    return passage
  }

  #carryOut({ call }: Passage, request: IncomingMessage, response: ServerResponse): void {
    if (response.destroyed) return
    const endpoint = this.#endpoint(call)
    if (endpoint === undefined) this.#reply(call, response)
    else this.#proxy.web(request, response, { target: targetOf(endpoint), agent: this.#agent })
  }

  /** Where to; without it the decision is an answer of our own. */
  #endpoint({ decision }: ReferenceCall): EndpointPlan | undefined {
    if (decision.outcome !== 'forward') return undefined
    const endpoint = this.#hosts.next(decision.choice?.cluster ?? '')
    if (endpoint === undefined) {
      answer(decision, 503, 'no_healthy_upstream', 'UH')
      decision.body = REPLY_BODY.noHealthyUpstream
    }
    return endpoint
  }

  #prepare(request: IncomingMessage, response: ServerResponse): void {
    const passage = this.#passages.get(request)
    if (passage === undefined) return
    const { head, decision } = passage.call
    passage.call.finishRequest()
    const attempts = decision.virtualHost?.includeAttemptCount === true ? 1 : 0
    request.headers = requestHeaders(head, decision.authority, attempts) as IncomingMessage['headers']
    request.url = decision.path
    const { timeoutMs } = decision
    if (timeoutMs === 0) return
    passage.timer = this.#clock.setTimer(timeoutMs, () => {
      passage.isTimedOut = true
      if (response.headersSent) response.destroy()
      else this.#timeOut(passage, response)
    })
    response.once('close', () => passage.timer?.cancel())
  }

  #timeOut({ call }: Passage, response: ServerResponse): void {
    answer(call.decision, 504, 'response_timeout', 'UT')
    call.decision.body = REPLY_BODY.timeout
    this.#reply(call, response)
  }

  // === answers ===

  #answer(received: IncomingMessage, request: IncomingMessage, response: ServerResponse): void {
    const passage = this.#passages.get(request)
    if (passage === undefined || passage.isTimedOut || response.destroyed) {
      received.destroy()
      return
    }
    const { call } = passage
    const head = responseHeadOf(received, call.head.method)
    if (!(head instanceof ResponseHead)) {
      received.destroy()
      this.#refuse(call, response, 'protocol_error')
      return
    }
    call.mutateResponse(head)
    const { responseHeaders = [] } = call.decision
    for (const change of responseHeaders) changeResponse(head, change)
    const elapsedMs = Math.max(0, Math.round(this.#clock.nowMs() - passage.startMs))
    completeResponseHead(head, call.manager, this.#date, elapsedMs)
    response.writeHead(head.status, flatFields(head))
    // An answer that is cut must be cut for the client too, and not look complete.
    received.on('error', () => response.destroy())
    received.pipe(response)
  }

  #fail(error: Error, request: IncomingMessage): void {
    const passage = this.#passages.get(request)
    if (passage === undefined || passage.isTimedOut || passage.response.destroyed) return
    const { response } = passage
    if (response.headersSent) {
      response.destroy()
      return
    }
    const { code = '' } = error as NodeJS.ErrnoException
    if (code.startsWith('HPE_')) this.#refuse(passage.call, response, 'protocol_error')
    else this.#refuse(passage.call, response, code === 'ECONNREFUSED' ? 'connect_failure' : 'reset', error.message)
  }

  #refuse(
    call: ReferenceCall,
    response: ServerResponse,
    failure: 'protocol_error' | 'connect_failure' | 'reset',
    text = '',
  ): void {
    const { status, detail, flag, body } = failureReply(failure, text)
    answer(call.decision, status, detail, flag)
    call.decision.body = body
    this.#reply(call, response)
  }

  #reply(call: ReferenceCall, response: ServerResponse): void {
    const { decision, manager, head } = call
    const reply = localReply(decision, isGrpc(call))
    if (decision.outcome !== 'local_reply') call.mutateResponse(reply.fields)
    completeLocalFields(reply.fields, manager, this.#date)
    if (!head.keepAlive) reply.fields.set('connection', 'close')
    response.writeHead(reply.status, flatFields(reply.fields)).end(reply.body)
  }

  // === upgrades ===

  #upgrade(request: IncomingMessage, socket: Socket, first: Buffer): void {
    socket.on('error', () => socket.destroy())
    const response = overSocket(request, socket)
    const passage = this.#decide(request, response)
    if (passage === undefined) return
    const { call } = passage
    if (call.decision.outcome === 'forward' && call.head.upgrade === '') {
      // Only a server without upgrades would have passed it on as an ordinary request.
      answer(call.decision, 403, 'upgrade_failed', '')
    }
    const endpoint = this.#endpoint(call)
    if (endpoint === undefined) {
      this.#reply(call, response)
      return
    }
    call.finishRequest()
    request.headers = requestHeaders(call.head, call.decision.authority, 0) as IncomingMessage['headers']
    request.url = call.decision.path
    this.#proxy.ws(request, socket, first, { target: targetOf(endpoint) })
  }
}

/** A response on a socket that node:http has handed over; it ends the connection. */
function overSocket(request: IncomingMessage, socket: Socket): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.sendDate = false
  response.assignSocket(socket)
  response.on('finish', () => {
    response.detachSocket(socket)
    socket.end()
  })
  return response
}

function targetOf({ address, port, unixPath }: EndpointPlan): HttpProxy.ProxyTarget {
  if (unixPath !== '') return { protocol: 'http:', host: 'localhost', port: 80, socketPath: unixPath }
  return { protocol: 'http:', host: address, port }
}
