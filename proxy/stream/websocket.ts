import { createHash, randomBytes } from 'node:crypto'
import type { HeaderBlock } from './header-block.ts'

/*
 * The handshake of RFC 6455 section 4 has a key and its answer; over HTTP/2 there are none (RFC 8441 section 5.1). Who
 * joins the one to the other makes what is missing.
 */

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const KEY_BYTES = 16

/** A key for an opening handshake whose client gave none. It tells answers apart and keeps no secret. */
export function newWebSocketKey(): string {
  return randomBytes(KEY_BYTES).toString('base64')
}

/** What a server that has understood the handshake says to this key. */
export function webSocketAccept(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64')
}

/** The key that a request over HTTP/1.1 must be given: '' when it is no WebSocket, or has one. */
export function missingWebSocketKey(upgrade: string, request: HeaderBlock): string {
  return upgrade === 'websocket' && !request.has('sec-websocket-key') ? newWebSocketKey() : ''
}
