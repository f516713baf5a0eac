import type { Decision } from '../decide/decision.ts'
import { FRAMING, type RequestHead } from './message.ts'

/**
 * The HTTP/1.1 head to send upstream, but for the closing empty line: fields that nobody touched go out in the text,
 * order and case they came in.
 */
export function upstreamHeadText(head: RequestHead, decision: Decision): string {
  return `${head.method} ${decision.path} HTTP/1.1\r\n${upstreamFields(head, decision)}${framingLines(head)}`
}

/** The request's own fields as they go upstream, Host first when it is written anew. Edits `head`. */
export function upstreamFields(head: RequestHead, decision: Decision): string {
  const { route } = decision
  let host = ''
  if (head.authorityRewritten || decision.authority !== head.authority || head.hostIndex < 0) {
    if (head.hostIndex >= 0) head.removeAt(head.hostIndex)
    host = `Host: ${decision.authority}\r\n`
    if (decision.authority !== head.authority) head.set('x-envoy-original-host', head.authority)
  }
  if (route?.action.kind === 'forward' && route.action.rewrite !== undefined) {
    head.set('x-envoy-original-path', head.path)
  }
  const expectedMs = decision.retry?.perTryTimeoutMs || decision.timeoutMs
  const expected = expectedMs > 0 ? `x-envoy-expected-rq-timeout-ms: ${Math.round(expectedMs)}\r\n` : ''
  return host + head.toLines() + expected
}

function framingLines(head: RequestHead): string {
  const encoding = head.framing === FRAMING.chunked ? 'transfer-encoding: chunked\r\n' : ''
  return head.upgrade === '' ? encoding : `${encoding}connection: Upgrade\r\nupgrade: ${head.upgrade}\r\n`
}
