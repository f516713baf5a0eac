import { expect, test } from '@jest/globals'
import { claimPath, namesClaims } from './claims.ts'

test.each([
  ['@request.auth.claims.sub', ['sub']],
  ['@request.auth.claims.a.b', ['a', 'b']],
  ['@Request.Auth.Claims.A', ['A']],
  ['@request.auth.claims[https://a.b/c][d.e]', ['https://a.b/c', 'd.e']],
  ['@request.auth.claims', undefined],
  ['@request.auth.claims.', undefined],
  ['@request.auth.claims.a..b', undefined],
  ['@request.auth.claims[]', undefined],
  ['@request.auth.claims[a', undefined],
  ['x-claims.a', undefined],
])('%s', (header, path) => {
  expect(claimPath(header)).toEqual(path)
  expect(namesClaims(header)).toBe(header.startsWith('@'))
})
