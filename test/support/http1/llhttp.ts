import { createRequire } from 'node:module'
import { newMessage, type Reading, type WireMessage } from './wire-message.ts'

/*
 * Node's own parser, as strict as it is by default, without a server around it. There is no public way to it; this module
 * of Node's has been there as long as Node, and a server over a pair of streams costs fifty times as much for each message.
 */

interface Parser {
  [callback: number]: unknown
  initialize(type: number, resource: object, maxHeaderBytes: number): void
  execute(bytes: Buffer): number | (Error & { code: string })
  finish(): undefined | (Error & { code: string })
}

interface ParserClass {
  new (): Parser
  REQUEST: number
  RESPONSE: number
  kOnHeaders: number
  kOnHeadersComplete: number
  kOnBody: number
  kOnMessageComplete: number
}

const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { HTTPParser: ParserClass }

/** By the numbers that the parser gives them (llhttp's HTTP_METHOD_MAP; RTSP's methods are none of HTTP's). */
const METHODS = (
  'DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND ' +
  'UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK ' +
  'UNLINK SOURCE'
).split(' ')
const KNOWN = new Set([...METHODS, 'QUERY'])

export const llhttpKnowsMethod = (method: string) => KNOWN.has(method)

/** More than we take, so that sizes make no difference. */
const MAX_HEADER_BYTES = 1 << 20

/** One parser for all: it forgets what was before. */
const parser = new HTTPParser()
let messages: WireMessage[] = []
let current: WireMessage | undefined
let early: string[] = []
let earlyUrl = ''
let requestMethod = ''

/** Called for fields that come in parts; once it was, it gets the target too. */
parser[HTTPParser.kOnHeaders] = (fields: string[], url: string) => {
  if (current === undefined) {
    early.push(...fields)
    earlyUrl += url
  } else current.trailers.push(...fields)
}
parser[HTTPParser.kOnHeadersComplete] = (
  ...[major, minor, fields, method, url, status, , isUpgrade, keepAlive]: [
    number,
    number,
    string[] | undefined,
    number | undefined,
    string | undefined,
    number | undefined,
    string | undefined,
    boolean,
    boolean,
  ]
): number => {
  const version = `HTTP/${major}.${minor}`
  const start =
    method === undefined ? `${version} ${status}` : `${METHODS[method] ?? `#${method}`} ${url ?? earlyUrl} ${version}`
  current = newMessage(start, [...early, ...(fields ?? [])], keepAlive)
  current.isUpgrade = isUpgrade
  early = []
  earlyUrl = ''
  messages.push(current)
  // What the one who asked knows, and the bytes do not say.
  if (requestMethod === 'HEAD') return 1
  return requestMethod === 'CONNECT' && status !== undefined && status >= 200 && status < 300 ? 2 : 0
}
parser[HTTPParser.kOnBody] = (bytes: Buffer) => {
  if (current !== undefined) current.body += bytes.toString('latin1')
}
parser[HTTPParser.kOnMessageComplete] = () => {
  if (current !== undefined) current.isComplete = true
  current = undefined
}

function reset(type: number): void {
  parser.initialize(type, {}, MAX_HEADER_BYTES)
  current = undefined
  early = []
  earlyUrl = ''
}

function run(type: number, pieces: readonly Buffer[], isEnded: boolean): Reading {
  messages = []
  reset(type)
  for (const piece of pieces) {
    let at = 0
    while (at < piece.length) {
      const used = parser.execute(piece.subarray(at))
      if (typeof used !== 'number') return { messages, refusal: used.code }
      at += used
      if (at >= piece.length) break
      // An upgrade: whoever does not follow it reads on behind it.
      if (messages.at(-1)?.isUpgrade !== true) return { messages, refusal: 'stopped' }
      reset(type)
    }
  }
  const error = isEnded ? parser.finish() : undefined
  return { messages, refusal: error === undefined ? '' : error.code }
}

/** Reads the requests of a connection. */
export function llhttpRequests(pieces: readonly Buffer[]): Reading {
  requestMethod = ''
  return run(HTTPParser.REQUEST, pieces, false)
}

/** Reads what comes in answer to a request with this method; then the connection is closed. */
export function llhttpResponses(pieces: readonly Buffer[], method: string): Reading {
  requestMethod = method
  return run(HTTPParser.RESPONSE, pieces, true)
}
