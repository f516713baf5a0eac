import { expect, test } from '@jest/globals'
import { HeaderBlock } from './header-block.ts'
import { missingWebSocketKey, newWebSocketKey, webSocketAccept } from './websocket.ts'

test('the answer to the key of RFC 6455 section 1.3', () => {
  expect(webSocketAccept('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

test('keys are 16 bytes and differ', () => {
  expect(Buffer.from(newWebSocketKey(), 'base64')).toHaveLength(16)
  expect(newWebSocketKey()).not.toBe(newWebSocketKey())
})

test('only a WebSocket without a key is given one', () => {
  const request = new HeaderBlock()
  expect(missingWebSocketKey('spdy/3.1', request)).toBe('')
  expect(missingWebSocketKey('websocket', request)).not.toBe('')
  request.append('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==')
  expect(missingWebSocketKey('websocket', request)).toBe('')
})
