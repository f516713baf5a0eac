import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseAltNames } from './alt-names.ts'

test('reads the names of each type', () => {
  expect(parseAltNames('DNS:a.example, URI:spiffe://mesh/ns/a/sa/b, IP Address:10.0.0.1, email:a@b')).toEqual([
    { type: 'dns', value: 'a.example' },
    { type: 'uri', value: 'spiffe://mesh/ns/a/sa/b' },
    { type: 'ip', value: '10.0.0.1' },
    { type: 'email', value: 'a@b' },
  ])
  expect(parseAltNames('DirName:CN=x, DNS:b')).toEqual([
    { type: 'other', value: 'CN=x' },
    { type: 'dns', value: 'b' },
  ])
  expect(parseAltNames(undefined)).toEqual([])
})

test('a quoted name cannot pose as several', () => {
  expect(parseAltNames('DNS:"evil.example, DNS:bank.example", DNS:c')).toEqual([
    { type: 'dns', value: 'evil.example, DNS:bank.example' },
    { type: 'dns', value: 'c' },
  ])
  expect(parseAltNames('URI:"a\\"b, URI:c"')).toEqual([{ type: 'uri', value: 'a"b, URI:c' }])
})

test('text that breaks the form gives no names from there on', () => {
  expect(parseAltNames('DNS:a, DNS:"open, DNS:b')).toEqual([{ type: 'dns', value: 'a' }])
  expect(parseAltNames('DNS:"a"x, DNS:b')).toEqual([{ type: 'dns', value: 'a' }])
  expect(parseAltNames('nothing')).toEqual([])
})

test('random text never throws', () => {
  const text = fc.array(fc.constantFrom('DNS:', 'URI:', '"', '\\', ', ', 'a', ':'), { maxLength: 12 })
  fc.assert(fc.property(text, (parts) => void parseAltNames(parts.join(''))))
})
