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

test('broken lengths are refused', () => {
  for (const bytes of [[0x1a], [0x1a, 5, 97], [0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0x1a, 0x80]]) {
    expect(() => decodeSotwRequest(Uint8Array.from(bytes))).toThrow(RangeError)
  }
})
