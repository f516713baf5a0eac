import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ProxyHeader } from '../listener/sniff/proxy-protocol.ts'
import { SNIFF } from '../listener/sniff/result.ts'
import { encodeProxyHeader } from './proxy-header.ts'

const from = (sourceAddress: string, destinationAddress: string) => ({
  sourceAddress,
  sourcePort: 56324,
  destinationAddress,
  destinationPort: 443,
})

test('version 1 is a line', () => {
  const line = (source: string, destination: string) => encodeProxyHeader('v1', from(source, destination)).toString()
  expect(line('192.168.0.1', '192.168.0.11')).toBe('PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n')
  expect(line('2001:db8::1', 'fe80::1%eth0')).toBe('PROXY TCP6 2001:db8::1 fe80::1 56324 443\r\n')
  expect(line('::ffff:1.2.3.4', '::1')).toBe('PROXY TCP6 ::ffff:1.2.3.4 ::1 56324 443\r\n')
})

test('version 2 is bytes', () => {
  const hex = (source: string, destination: string) =>
    encodeProxyHeader('v2', from(source, destination)).toString('hex')
  const signature = '0d0a0d0a000d0a515549540a'
  expect(hex('192.168.0.1', '192.168.0.11')).toBe(`${signature}2111000cc0a80001c0a8000bdc0401bb`)
  expect(hex('2001:db8::1', '::1')).toBe(
    `${signature}21210024${'20010db8000000000000000000000001'}${'00000000000000000000000000000001'}dc0401bb`,
  )
})

test.each([
  ['', '10.0.0.1'],
  ['10.0.0.1', ''],
  ['10.0.0.1', '::1'],
  ['::1', '10.0.0.1'],
])('of %j to %j nothing is said', (source, destination) => {
  expect(encodeProxyHeader('v1', from(source, destination)).toString()).toBe('PROXY UNKNOWN\r\n')
  expect(encodeProxyHeader('v2', from(source, destination)).toString('hex')).toBe('0d0a0d0a000d0a515549540a20000000')
})

const port = fc.integer({ min: 0, max: 0xffff })
const pair = (address: fc.Arbitrary<string>) => fc.tuple(address, address)

test('our own reader finds in it what was written', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('v1' as const, 'v2' as const),
      fc.oneof(pair(fc.ipV4()), pair(fc.constantFrom('::', '::1', '2001:db8::1', 'fe80::', '1:2:3:4:5:6:7:8'))),
      port,
      port,
      (version, [sourceAddress, destinationAddress], sourcePort, destinationPort) => {
        const facts = { sourceAddress, sourcePort, destinationAddress, destinationPort }
        const bytes = encodeProxyHeader(version, facts)
        const header = new ProxyHeader()
        expect(header.read(bytes, 0, bytes.length)).toBe(SNIFF.found)
        expect(header).toMatchObject({ ...facts, hasAddresses: true, length: bytes.length })
      },
    ),
  )
})
