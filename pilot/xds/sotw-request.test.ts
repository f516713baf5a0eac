import { create, toBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { DiscoveryRequestSchema } from '../../api/gen/envoy/service/discovery/v3/discovery_pb.js'
import { decodeSotwRequest, namesOf } from './sotw-request.ts'

test('a request is what it was, its names apart', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 300, unit: 'grapheme' })), fc.string(), (resourceNames, nonce) => {
      const message = create(DiscoveryRequestSchema, {
        versionInfo: 'v1',
        node: { id: 'a' },
        resourceNames,
        typeUrl: 'type',
        responseNonce: nonce,
      })
      const request = decodeSotwRequest(toBinary(DiscoveryRequestSchema, message))
      expect(namesOf(request)).toEqual(resourceNames)
      expect(request.message).toEqual({ ...message, resourceNames: [] })
    }),
  )
})

test('names between other fields are found too', () => {
  const part = (fields: object) => toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, fields))
  const bytes = Buffer.concat([
    part({ resourceNames: ['a'] }),
    part({ typeUrl: 't' }),
    part({ resourceNames: ['b', 'c'] }),
  ])
  const request = decodeSotwRequest(bytes)
  expect(namesOf(request)).toEqual(['a', 'b', 'c'])
  expect(request.message.typeUrl).toBe('t')
})

test('names that are known are the known bytes, and only when they are all of them', () => {
  const bytesOf = (resourceNames: string[], typeUrl = '') =>
    Buffer.from(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { resourceNames, typeUrl })))
  const known = [[], ['x', 'y'], ['a'], ['a', 'b'], ['a', 'b', 'c', 'd']].map((names) => bytesOf(names))
  expect(decodeSotwRequest(bytesOf(['a', 'b'], 't'), known).nameBytes).toBe(known[3])
  for (const names of [['a', 'b', 'c'], ['a', 'c'], ['b', 'a'], []]) {
    const request = decodeSotwRequest(bytesOf(names, 't'), known)
    expect(known).not.toContain(request.nameBytes)
    expect(namesOf(request)).toEqual(names)
    expect(request.message.typeUrl).toBe('t')
  }
  const twice = decodeSotwRequest(Buffer.concat([bytesOf(['a', 'b'], 't'), bytesOf(['x', 'y'])]), known)
  expect(namesOf(twice)).toEqual(['a', 'b', 'x', 'y'])
})

test('broken lengths are refused', () => {
  for (const bytes of [[0x1a], [0x1a, 5, 97], [0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0x1a, 0x80]]) {
    expect(() => decodeSotwRequest(Uint8Array.from(bytes))).toThrow(RangeError)
  }
})
