import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatOrigin, originFromStruct, originStruct, parseOrigin } from './origin.ts'

const name = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,20}$/)

test('an origin is read as it was written, whatever its file is called', () => {
  const origins = fc.record({
    kind: fc.constantFrom('VirtualService', 'ServiceEntry'),
    namespace: fc.oneof(fc.constant(''), name),
    name,
    file: fc.string(),
    line: fc.nat(),
  })
  fc.assert(
    fc.property(origins, (origin) => {
      expect(parseOrigin(formatOrigin(origin))).toEqual(origin)
      expect(originFromStruct(originStruct(origin))).toEqual(origin)
    }),
  )
})

test.each([undefined, null, 'x', {}, { at: 5 }, { at: '' }, { at: 'VirtualService a/b' }, { at: 'a b c:d' }])(
  '%p is none',
  (value) => {
    expect(originFromStruct(value)).toBeUndefined()
  },
)
