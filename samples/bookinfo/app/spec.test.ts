import { expect, test } from '@jest/globals'
import { parseAppSpec } from './spec.ts'

test('a service alone has the defaults', () => {
  const spec = parseAppSpec('reviews')
  expect(spec).toMatchObject({ service: 'reviews', version: 'v1', listen: { host: '0.0.0.0', port: 9080 } })
  expect(spec.via).toBeUndefined()
  expect(spec.pod).not.toBe('')
})

test('every setting is taken', () => {
  expect(parseAppSpec('reviews,version=v2,listen=127.0.0.1:9081,via=127.0.0.2:9082,pod=reviews-v2-1')).toEqual({
    service: 'reviews',
    version: 'v2',
    pod: 'reviews-v2-1',
    listen: { host: '127.0.0.1', port: 9081 },
    via: { host: '127.0.0.2', port: 9082 },
  })
})

test.each(['reviews,color=red', 'reviews,v2', 'reviews,listen=9081', 'reviews,listen=a:b', 'reviews,via=a:70000'])(
  '%s is refused',
  (text) => {
    expect(() => parseAppSpec(text)).toThrow()
  },
)
