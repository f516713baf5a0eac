import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { FRAMING, RequestHead } from '../stream/message.ts'
import { parseRequestHead } from './request-parser.ts'

function parse(text: string): { head: RequestHead; error: string | undefined } {
  const bytes = Buffer.from(text, 'latin1')
  const head = new RequestHead()
  const error = parseRequestHead(bytes, 0, bytes.indexOf('\r\n\r\n') + 0, head)
  return { head, error: error?.detail }
}

const request = (...lines: string[]) => parse(`${lines.join('\r\n')}\r\n\r\n`)

test('reads a request head and keeps its fields in order and case', () => {
  const { head, error } = request('GET /a?b=c HTTP/1.1', 'Host: reviews:9080', 'X-One:  1 ', 'end-user: jason')
  expect(error).toBeUndefined()
  expect([head.method, head.path, head.authority, head.keepAlive]).toEqual(['GET', '/a?b=c', 'reviews:9080', true])
  expect(head.get('x-one')).toBe('1')
  expect(head.toLines()).toBe('Host: reviews:9080\r\nX-One:  1 \r\nend-user: jason\r\n')
})

test('takes out what belongs to the connection, and what Connection names', () => {
  const { head } = request(
    'GET / HTTP/1.1',
    'A: 1',
    'Connection: keep-alive, X-Drop',
    'X-Drop: 2',
    'Keep-Alive: 5',
    'Host: h',
    'TE: gzip',
  )
  expect(head.toLines()).toBe('A: 1\r\nHost: h\r\n')
})

test('joins several fields of one name for matching', () => {
  const { head } = request('GET / HTTP/1.1', 'Host: h', 'X: a', 'x: b')
  expect(head.get('x')).toBe('a,b')
})

test('set, append and remove edit what is written out', () => {
  const { head } = request('GET / HTTP/1.1', 'Host: h', 'A: 1', 'B: 2', 'C: 3')
  head.remove('b')
  head.set('a', 'new')
  head.append('C', 'more')
  expect(head.toLines()).toBe('Host: h\r\nC: 3\r\na: new\r\nC: more\r\n')
  expect(head.get('c')).toBe('3,more')
  expect(head.has('b')).toBe(false)
})

test('reads an upgrade, an expectation and the framing', () => {
  const upgrade = request('GET / HTTP/1.1', 'Host: h', 'Connection: Upgrade', 'Upgrade: WebSocket').head
  expect(upgrade.upgrade).toBe('websocket')
  const post = request('POST / HTTP/1.1', 'Host: h', 'Content-Length: 12', 'Expect: 100-continue').head
  expect([post.framing, post.contentLength, post.expectContinue]).toEqual([FRAMING.length, 12, true])
  expect(request('POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked').head.framing).toBe(FRAMING.chunked)
})

test('close wins over keep-alive, and a no-break space is part of a token', () => {
  const keepsAlive = (version: string, ...lines: string[]) =>
    request(`GET / HTTP/${version}`, 'Host: h', ...lines).head.keepAlive
  expect(keepsAlive('1.1', 'Connection: close', 'Connection: keep-alive')).toBe(false)
  expect(keepsAlive('1.1', 'Proxy-Connection: a, close')).toBe(false)
  expect(keepsAlive('1.0', 'Connection: close, keep-alive')).toBe(false)
  expect(keepsAlive('1.0', 'Connection: close', 'Connection: keep-alive')).toBe(false)
  expect(keepsAlive('1.0', 'Proxy-Connection: close', 'Connection: keep-alive')).toBe(false)
  expect(keepsAlive('1.0', 'Connection: keep-alive')).toBe(true)
  expect(keepsAlive('1.1', 'Connection: \xa0close')).toBe(true)
  expect(keepsAlive('1.0', 'Connection: a,\xa0keep-alive')).toBe(false)
  expect(keepsAlive('1.0', 'Connection: a,\tkeep-alive ')).toBe(true)
})

test('several fields of TE and of Upgrade are one', () => {
  const { head } = request(
    'GET / HTTP/1.1',
    'Host: h',
    'TE: gzip',
    'TE: trailers',
    'Upgrade: a',
    'Upgrade: b',
    'Connection: upgrade',
  )
  expect(head.toLines()).toBe('Host: h\r\nTE: trailers\r\n')
  expect(head.upgrade).toBe('a, b')
})

test('CONNECT has one host, whatever Host says', () => {
  const { head } = request('CONNECT h:80 HTTP/1.1', 'Host: other:80')
  expect([head.authority, head.path, head.authorityRewritten]).toEqual(['h:80', '', true])
})

test('an absolute-form target wins over Host', () => {
  const { head } = request('GET http://other:81/x?y HTTP/1.1', 'Host: h')
  expect([head.authority, head.path, head.authorityRewritten]).toEqual(['other:81', '/x?y', true])
})

test.each([
  ['length and chunked', ['POST / HTTP/1.1', 'Host: h', 'Content-Length: 3', 'Transfer-Encoding: chunked']],
  ['two lengths', ['POST / HTTP/1.1', 'Host: h', 'Content-Length: 3', 'Content-Length: 3']],
  ['a signed length', ['POST / HTTP/1.1', 'Host: h', 'Content-Length: +3']],
  ['a list of lengths', ['POST / HTTP/1.1', 'Host: h', 'Content-Length: 3, 3']],
  ['a hex length', ['POST / HTTP/1.1', 'Host: h', 'Content-Length: 0x3']],
  ['another coding', ['POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: gzip, chunked']],
  ['chunked twice', ['POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked, chunked']],
  ['chunked with a vertical tab', ['POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: \x0bchunked']],
  ['chunked in HTTP/1.0', ['POST / HTTP/1.0', 'Host: h', 'Transfer-Encoding: chunked']],
  ['a space before the colon', ['GET / HTTP/1.1', 'Host : h']],
  ['a folded line', ['GET / HTTP/1.1', 'Host: h', 'A: b', ' c']],
  ['a bare CR', ['GET / HTTP/1.1', 'Host: h', 'A: b\rc']],
  ['a bare LF', ['GET / HTTP/1.1', 'Host: h', 'A: b\nC: d']],
  ['a NUL', ['GET / HTTP/1.1', 'Host: h', 'A: b\0']],
  ['an empty name', ['GET / HTTP/1.1', 'Host: h', ': b']],
  ['two Hosts', ['GET / HTTP/1.1', 'Host: h', 'Host: h']],
  ['no Host', ['GET / HTTP/1.1', 'A: b']],
  ['an empty Host', ['GET / HTTP/1.1', 'Host:']],
  ['userinfo in Host', ['GET / HTTP/1.1', 'Host: u@h']],
  ['two hosts in one Host', ['GET / HTTP/1.1', 'Host: a,b']],
  ['a bad method', ['G(T / HTTP/1.1', 'Host: h']],
  ['two spaces', ['GET  / HTTP/1.1', 'Host: h']],
  ['a raw byte in the path', ['GET /\xff HTTP/1.1', 'Host: h']],
  ['a fragment', ['GET /a#b HTTP/1.1', 'Host: h']],
  ['no version', ['GET /', 'Host: h']],
  ['HTTP/2.0', ['GET / HTTP/2.0', 'Host: h']],
  ['HTTP/1.01', ['GET / HTTP/1.01', 'Host: h']],
  ['a lower-case version', ['GET / http/1.1', 'Host: h']],
  ['an https target on plain text', ['GET https://h/ HTTP/1.1', 'Host: h']],
  ['Connection naming Host', ['GET / HTTP/1.1', 'Host: h', 'Connection: host']],
  [
    'Connection naming eleven fields',
    ['GET / HTTP/1.1', 'Host: h', `Connection: ${'abcdefghijk'.split('').join(',')}`],
  ],
  ['101 fields', ['GET / HTTP/1.1', 'Host: h', ...Array.from({ length: 100 }, (_, i) => `A${i}: b`)]],
])('refuses %s', (_what, lines) => {
  expect(request(...lines).error).toBeDefined()
})

test('never throws, and what it accepts is written out without a control character', () => {
  const byte = fc.constantFrom('a', 'A', ':', ' ', '\t', '\r', '\n', '\0', '\xff', ',', '1', 'chunked', 'Host', '\r\n')
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 30 }), (parts) => {
      const { head, error } = parse(`GET / HTTP/1.1\r\nHost: h\r\n${parts.join('')}\r\n\r\n`)
      if (error === undefined) {
        for (const [name, value] of head.fields()) expect(`${name}${value}`).toMatch(/^[^\r\n\0]*$/)
      }
    }),
  )
})
