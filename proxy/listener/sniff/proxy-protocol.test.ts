import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ProxyHeader } from './proxy-protocol.ts'
import { SNIFF } from './result.ts'

function read(bytes: Buffer) {
  const header = new ProxyHeader()
  const result = header.read(bytes, 0, bytes.length)
  const { length, hasAddresses, sourceAddress, sourcePort, destinationAddress, destinationPort } = header
  const ends = hasAddresses ? `${sourceAddress} ${sourcePort} ${destinationAddress} ${destinationPort}` : ''
  return { result, length, ends }
}

const v1 = (line: string) => Buffer.from(`${line}\r\n`, 'latin1')
const v2 = (command: number, family: number, body: Buffer, length = body.length) =>
  Buffer.concat([
    Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
    Buffer.from([command, family, length >> 8, length & 255]),
    body,
  ])
const INET = Buffer.from([10, 1, 2, 3, 10, 9, 8, 7, 0x1f, 0x90, 0, 80])
const INET6 = Buffer.concat([Buffer.alloc(15), Buffer.from([1]), Buffer.alloc(15), Buffer.from([2, 1, 0, 2, 0])])

test.each([
  ['v1 over IPv4', v1('PROXY TCP4 10.1.2.3 10.9.8.7 8080 80'), '10.1.2.3 8080 10.9.8.7 80'],
  ['v1 over IPv6', v1('PROXY TCP6 ::1 2001:db8::2 1 65535'), '::1 1 2001:db8::2 65535'],
  ['v1 of an unknown peer', v1('PROXY UNKNOWN'), ''],
  ['v1 of an unknown peer with more', v1('PROXY UNKNOWN ffff::1 :: 1 2'), ''],
  ['v2 over IPv4', v2(0x21, 0x11, INET), '10.1.2.3 8080 10.9.8.7 80'],
  ['v2 over IPv6', v2(0x21, 0x21, INET6), '::1 256 ::2 512'],
  ['v2 with a TLV', v2(0x21, 0x11, Buffer.concat([INET, Buffer.from([4, 0, 2, 9, 9])])), '10.1.2.3 8080 10.9.8.7 80'],
  ['v2 LOCAL', v2(0x20, 0, Buffer.alloc(0)), ''],
  ['v2 LOCAL with what must be passed over', v2(0x20, 0x11, Buffer.from([1, 2, 3])), ''],
  ['v2 of an unspecified family', v2(0x21, 0, Buffer.from([1, 2, 3])), ''],
  ['v2 over a unix socket', v2(0x21, 0x31, Buffer.alloc(216)), ''],
])('reads %s', (_what, header, ends) => {
  expect(read(Buffer.concat([header, Buffer.from('rest')]))).toEqual({
    result: SNIFF.found,
    length: header.length,
    ends,
  })
})

test.each([
  ['words missing', v1('PROXY TCP4 10.1.2.3 10.9.8.7 8080')],
  ['a word too many', v1('PROXY TCP4 10.1.2.3 10.9.8.7 8080 80 1')],
  ['two spaces', v1('PROXY TCP4  10.1.2.3 10.9.8.7 8080')],
  ['an address of the other family', v1('PROXY TCP4 ::1 ::1 1 2')],
  ['an address that is none', v1('PROXY TCP4 10.1.2 10.9.8.7 1 2')],
  ['a port out of range', v1('PROXY TCP4 10.1.2.3 10.9.8.7 1 65536')],
  ['a port with a leading zero', v1('PROXY TCP4 10.1.2.3 10.9.8.7 01 2')],
  ['an unknown protocol', v1('PROXY UDP4 10.1.2.3 10.9.8.7 1 2')],
  ['a line that is too long', v1(`PROXY UNKNOWN ${'a'.repeat(93)}`)],
  ['no line at all', Buffer.from(`PROXY ${'a'.repeat(200)}`)],
  ['version 1 in the binary form', v2(0x11, 0x11, INET)],
  ['an unknown command', v2(0x22, 0x11, INET)],
  ['an unknown family', v2(0x21, 0x41, INET)],
  ['datagrams', v2(0x21, 0x12, INET)],
  ['addresses that are cut off', v2(0x21, 0x11, INET.subarray(0, 11))],
  ['a TLV that is cut off', v2(0x21, 0x11, Buffer.concat([INET, Buffer.from([4, 0, 3, 9, 9])]))],
  ['a TLV without its length', v2(0x21, 0x11, Buffer.concat([INET, Buffer.from([4, 0])]))],
  ['more than is ever read', v2(0x21, 0x11, INET, 65535)],
])('refuses %s', (_what, header) => {
  expect(read(header).result).toBe(SNIFF.broken)
})

test('the longest line of version 1 is taken', () => {
  const header = v1(`PROXY UNKNOWN ${'a'.repeat(91)}`)
  expect(header.length).toBe(107)
  expect(read(header).result).toBe(SNIFF.found)
})

test('other bytes are no header, and are told at once', () => {
  for (const text of ['GET / HTTP/1.1\r\n', 'PROXX', 'P ', '\r\n\r\n\0\r\nQUIX', '\x16\x03'])
    expect(read(Buffer.from(text, 'latin1')).result).toBe(SNIFF.absent)
  for (const text of ['', 'P', 'PROXY', 'PROXY ', '\r', '\r\n\r\n\0\r\nQUIT\n'])
    expect(read(Buffer.from(text, 'latin1')).result).toBe(SNIFF.more)
})

test('cut anywhere, a header waits for the rest and says the same', () => {
  const header = fc.constantFrom(
    v1('PROXY TCP4 10.1.2.3 10.9.8.7 8080 80'),
    v2(0x21, 0x21, INET6),
    v2(0x21, 0x11, Buffer.concat([INET, Buffer.from([4, 0, 1, 9])])),
  )
  fc.assert(
    fc.property(header, fc.nat(60), (bytes, cut) => {
      if (cut < bytes.length) expect(read(bytes.subarray(0, cut)).result).toBe(SNIFF.more)
      expect(read(bytes).result).toBe(SNIFF.found)
    }),
  )
})

test('mutated headers never throw, and never claim more than is there', () => {
  const base = fc.constantFrom(
    v1('PROXY TCP6 ::1 2001:db8::2 1 65535'),
    v2(0x21, 0x11, Buffer.concat([INET, Buffer.from([4, 0, 1, 9])])),
  )
  const edits = fc.array(fc.tuple(fc.nat(40), fc.nat(255)), { maxLength: 4 })
  fc.assert(
    fc.property(base, edits, fc.nat(60), (header, changes, cut) => {
      const bytes = Buffer.from(header)
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
      const { result, length } = read(bytes.subarray(0, cut))
      expect(Object.values(SNIFF)).toContain(result)
      if (result === SNIFF.found) expect(length).toBeLessThanOrEqual(cut)
    }),
    { numRuns: 2000 },
  )
})
