import { BlockList } from 'node:net'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { canonicalIp, formatIpv6, isLoopback, parseIpv4, parseIpv6, unmapIpv4 } from './ip.ts'
import { PrefixTable } from './prefix-table.ts'

const bytesOf = (groups: Uint16Array) => Uint8Array.from([...groups].flatMap((group) => [group >> 8, group & 255]))

test('reads IPv4 addresses as numbers', () => {
  expect(parseIpv4('0.0.0.0')).toBe(0)
  expect(parseIpv4('10.1.2.3')).toBe(0x0a010203)
  expect(parseIpv4('255.255.255.255')).toBe(0xffffffff)
})

test.each([
  ['::', '::'],
  ['::1', '::1'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['1::', '1::'],
])('writes %s as RFC 5952 has it: %s', (given, canonical) => {
  expect(formatIpv6(bytesOf(parseIpv6(given) as Uint16Array), 0)).toBe(canonical)
})

test('an address has one text, and what is none has none', () => {
  const texts = ['1.2.3.4', '2001:DB8::0:1', '::ffff:1.2.3.4', '::ffff:102:304', 'fe80::1%eth0', '', '1.2.3', '[::1]']
  expect(texts.map(canonicalIp)).toEqual(['1.2.3.4', '2001:db8::1', '::ffff:1.2.3.4', '::ffff:1.2.3.4', '', '', '', ''])
})

test('an address that was written is read as the same bytes', () => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const text = formatIpv6(bytesOf(Uint16Array.from(groups)), 0)
      expect([...(parseIpv6(text) as Uint16Array)]).toEqual(groups)
    }),
  )
})

test('what is no IPv6 address is none', () => {
  for (const text of ['', '1.2.3.4', 'a', '1:2:3', '::g', '1::2::3']) expect(parseIpv6(text)).toBeUndefined()
})

test('mapped addresses are those of their IPv4 peer', () => {
  expect(unmapIpv4('::ffff:10.0.0.1')).toBe('10.0.0.1')
  expect(unmapIpv4('::ffff:1')).toBe('::ffff:1')
  expect(unmapIpv4('10.0.0.1')).toBe('10.0.0.1')
  expect([isLoopback('127.9.9.9'), isLoopback('::1'), isLoopback('10.0.0.1'), isLoopback('')]).toEqual([
    true,
    true,
    false,
    false,
  ])
})

test('a prefix table finds the longest prefix that holds an address', () => {
  const table = new PrefixTable<string>()
  for (const [address, length] of [
    ['0.0.0.0', 0],
    ['10.0.0.0', 8],
    ['10.1.0.0', 16],
    ['10.1.2.3', 32],
    ['2001:db8::', 32],
    ['2001:db8::8000', 113],
  ] as const)
    table.at(address, length, () => `${address}/${length}`)
  const found = ['10.1.2.3', '10.1.2.4', '10.2.0.0', '11.0.0.0', '2001:db8::1', '2001:db8::8001', '::1', 'x', '']
  expect(found.map((address) => table.find(address))).toEqual([
    '10.1.2.3/32',
    '10.1.0.0/16',
    '10.0.0.0/8',
    '0.0.0.0/0',
    '2001:db8::/32',
    '2001:db8::8000/113',
    undefined,
    undefined,
    undefined,
  ])
  expect(table.at('a.example', 8, () => '')).toBeUndefined()
})

test('a prefix table agrees with node on random prefixes', () => {
  const octets = fc.array(fc.constantFrom(0, 1, 127, 128, 255), { minLength: 4, maxLength: 4 })
  const address = octets.map((bytes) => bytes.join('.'))
  const ranges = fc.array(fc.tuple(address, fc.integer({ min: 0, max: 32 })), { maxLength: 8 })
  fc.assert(
    fc.property(ranges, address, (prefixes, wanted) => {
      const table = new PrefixTable<number>()
      let longest: number | undefined
      for (const [prefix, length] of prefixes) {
        table.at(prefix, length, () => length)
        const list = new BlockList()
        list.addSubnet(prefix, length, 'ipv4')
        if (list.check(wanted, 'ipv4')) longest = Math.max(longest ?? 0, length)
      }
      expect(table.find(wanted)).toBe(longest)
    }),
  )
})
