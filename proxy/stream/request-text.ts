import type { Decision } from '../decide/decision.ts'
import type { RequestTarget } from '../upstream/upstream-stream.ts'
import { FRAMING, type RequestHead } from './message.ts'
import { NumberFields } from './number-fields.ts'
import type { OutBuffer } from './out-buffer.ts'

/** Edits the request's fields for the upstream, once, before the first try. */
export function finishRequestHead(head: RequestHead, decision: Decision): void {
  const { route, authority } = decision
  if (head.authorityRewritten || authority !== head.authority || head.hostIndex < 0) {
    if (head.hostIndex >= 0) head.removeAt(head.hostIndex)
    head.authorityRewritten = true
    if (authority !== head.authority) head.set('x-envoy-original-host', head.authority)
  }
  if (route?.action.kind === 'forward' && route.action.rewrite !== undefined) {
    head.set('x-envoy-original-path', head.path)
  }
  if (head.framing === FRAMING.none && head.upgrade === '' && definesContent(head.method)) {
    head.set('content-length', '0')
  }
  if (decision.virtualHost?.includeAttemptCount === true) head.remove('x-envoy-attempt-count')
  setExpectedTimeout(head, decision, 0)
}

/**
 * Tells the upstream how long its answer is waited for: for a try, and never longer than what is left of the whole. `elapsedMs`
 * is how much of that is over when the request arrives (Envoy's FilterUtility::setTimeoutHeaders).
 */
export function setExpectedTimeout(head: RequestHead, decision: Decision, elapsedMs: number): void {
  const { timeoutMs, perTryTimeoutMs, hedges } = decision
  let expectedMs = hedges || perTryTimeoutMs === 0 ? timeoutMs : perTryTimeoutMs
  if (expectedMs === 0) return
  // 0 would be no bound at all.
  if (timeoutMs > 0) expectedMs = elapsedMs >= timeoutMs ? 1 : Math.min(expectedMs, timeoutMs - elapsedMs)
  head.remove(EXPECTED_TIMEOUT)
  expectedTimeouts.appendTo(head, Math.max(1, Math.round(expectedMs)))
}

const EXPECTED_TIMEOUT = 'x-envoy-expected-rq-timeout-ms'
const expectedTimeouts = new NumberFields(EXPECTED_TIMEOUT)

/** Methods whose requests say that they have no content (RFC 9110 section 8.6); Envoy draws the same line. */
function definesContent(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'DELETE' && method !== 'TRACE' && method !== 'CONNECT'
}

/**
 * Writes the HTTP/1.1 head of one try: what nobody touched goes out in the bytes, order and case it came in.
 * `webSocketKey` is one that the request lacks, or ''.
 */
export function writeRequestHead(out: OutBuffer, head: RequestHead, target: RequestTarget, webSocketKey = ''): void {
  const { path, authority, attemptCount } = target
  const keepsStartLine = path === head.receivedPath && !head.authorityRewritten
  if (!keepsStartLine) {
    out.text(head.method)
    out.text(' ')
    out.text(head.method === 'CONNECT' ? authority : path)
    out.text(' HTTP/1.1\r\n')
    if (head.authorityRewritten) {
      out.text('Host: ')
      out.text(authority)
      out.text('\r\n')
    }
  }
  head.writeLines(out, keepsStartLine)
  if (attemptCount > 0) out.text(`x-envoy-attempt-count: ${attemptCount}\r\n`)
  if (head.framing === FRAMING.chunked) out.text('transfer-encoding: chunked\r\n')
  if (webSocketKey !== '') out.text(`sec-websocket-key: ${webSocketKey}\r\n`)
  if (head.upgrade !== '') out.text(`connection: Upgrade\r\nupgrade: ${head.upgrade}\r\n`)
  out.text('\r\n')
}
