import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { HttpInspector } from './http-inspector.ts'
import { SNIFF } from './result.ts'

function inspect(text: string) {
  const bytes = Buffer.from(text, 'latin1')
  const inspector = new HttpInspector()
  return [inspector.read(bytes, 0, bytes.length), inspector.protocol]
}

test.each([
  ['GET / HTTP/1.1\r\nHost: a\r\n', 'http/1.1'],
  ['GET / HTTP/1.0\r\n', 'http/1.0'],
  ['M-SEARCH * HTTP/1.1\n', 'http/1.1'],
  ['PRI / HTTP/1.1\r\n', 'http/1.1'],
  ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0', 'h2c'],
])('%j is %s', (text, protocol) => {
  expect(inspect(text)).toEqual([SNIFF.found, protocol])
})

test.each([
  '\0\0\0\x01',
  '\x16\x03\x01',
  ' GET',
  '{"json": 1}',
  'SSH-2.0-OpenSSH_9.2\r\n',
  'EHLO mail.example\r\n',
  'GET /\r\n',
  'GET / HTTP/2.0\r\n',
  'GET HTTP/1.1\r\n',
  'PRI * HTTP/2.0\r\n\r\nXX',
  `${'A'.repeat(33)} / HTTP/1.1\r\n`,
])('%j is another protocol', (text) => {
  expect(inspect(text)).toEqual([SNIFF.absent, ''])
})

test.each(['', 'G', 'GET', 'GET ', 'GET /a', 'PRI', 'PRI * HTTP/2.0\r\n', 'GET / HTTP/1.1\r'])('%j waits', (text) => {
  expect(inspect(text)).toEqual([SNIFF.more, ''])
})

test('cuts change nothing', () => {
  const text = fc.constantFrom(
    'POST /a/b?c HTTP/1.1\r\nHost: h\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest',
    'PRX * HTTP/1.1\r\n',
    'GET / HTTX/1.1\r\n',
    '*1\r\n$4\r\nPING\r\n',
  )
  fc.assert(
    fc.property(text, fc.array(fc.nat(40), { maxLength: 5 }), fc.nat(5), (given, cuts, before) => {
      const bytes = Buffer.from(' '.repeat(before) + given)
      const inspector = new HttpInspector()
      const ends = [...cuts, given.length].filter((end) => end <= given.length).sort((a, b) => a - b)
      let result = 0
      for (const end of ends) {
        result = inspector.read(bytes, before, before + end)
        if (result !== SNIFF.more) break
      }
      expect([result, inspector.protocol]).toEqual(inspect(given))
    }),
  )
})

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (random) => {
      const bytes = Buffer.from(random)
      expect(Object.values(SNIFF)).toContain(new HttpInspector().read(bytes, 0, bytes.length))
    }),
  )
})
