import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { HeadError } from '../http1/head-error.ts'
import { parseRequestHead } from '../http1/request-parser.ts'
import { parseResponseHead } from '../http1/response-parser.ts'
import type { HeaderBlock } from '../stream/header-block.ts'
import { FRAMING, RequestHead, ResponseHead } from '../stream/message.ts'

/* What node:http has read, as the heads that our own code decides on, and back. */

function textOf(start: string, rawHeaders: readonly string[]): Buffer {
  let text = `${start}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  return Buffer.from(`${text}\r\n`, 'latin1')
}

/** Fields of the connection are taken out, as everywhere. */
export function requestHeadOf(request: IncomingMessage): RequestHead | HeadError {
  const head = new RequestHead()
  const start = `${request.method} ${request.url} HTTP/${request.httpVersion}`
  const bytes = textOf(start, request.rawHeaders)
  return parseRequestHead(bytes, 0, bytes.length - 4, head) ?? head
}

export function responseHeadOf(response: IncomingMessage, method: string): ResponseHead | HeadError {
  const head = new ResponseHead()
  const bytes = textOf(`HTTP/${response.httpVersion} ${response.statusCode} `, response.rawHeaders)
  return parseResponseHead(bytes, 0, bytes.length - 4, head, method) ?? head
}

/** The fields for node's own client. Several of one name become a list, in the place and case of the first. */
export function requestHeaders(head: RequestHead, authority: string, attemptCount: number): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = { Host: authority }
  const nameOf = new Map([['host', 'Host']])
  for (const [name, value] of head.fields()) {
    const known = nameOf.get(name.toLowerCase())
    if (known === undefined) {
      nameOf.set(name.toLowerCase(), name)
      headers[name] = value
    } else if (known !== 'Host') headers[known] = [headers[known] as string | string[], value].flat()
  }
  if (attemptCount > 0) headers['x-envoy-attempt-count'] = String(attemptCount)
  if (head.framing === FRAMING.chunked) headers['transfer-encoding'] = 'chunked'
  if (head.upgrade !== '') Object.assign(headers, { connection: 'Upgrade', upgrade: head.upgrade })
  return headers
}

/** Names and values in turn, for writeHead(). */
export function flatFields(fields: HeaderBlock): string[] {
  return [...fields.fields()].flat()
}
