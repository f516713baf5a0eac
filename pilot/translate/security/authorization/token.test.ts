import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { type Principal, PrincipalSchema } from '../../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import { claimPrincipal, requestPrincipal } from './token.ts'

/** What it is met by, as Envoy would judge it on these claims. */
function meets(principal: Principal, claims: Readonly<Record<string, unknown>>): boolean {
  const { identifier } = principal
  switch (identifier.case) {
    case 'andIds':
      return identifier.value.ids.every((id) => meets(id, claims))
    case 'orIds':
      return identifier.value.ids.some((id) => meets(id, claims))
    case 'notId':
      return !meets(identifier.value, claims)
    case 'any':
      return true
    case 'metadata': {
      const { filter, path, value } = identifier.value
      expect([filter, path[0]?.segment.value]).toEqual(['envoy.filters.http.jwt_authn', 'payload'])
      const found = path
        .slice(1)
        .reduce<unknown>(
          (at, { segment }) => (at as Record<string, unknown> | undefined)?.[String(segment.value)],
          claims,
        )
      const pattern = value?.matchPattern
      if (pattern?.case === 'stringMatch')
        return typeof found === 'string' && textMeets(pattern.value.matchPattern, found)
      if (pattern?.case !== 'listMatch' || !Array.isArray(found)) return false
      const inner = pattern.value.matchPattern.value?.matchPattern
      return inner?.case === 'stringMatch' && found.some((item) => textMeets(inner.value.matchPattern, item))
    }
    default:
      throw new Error(`${identifier.case}`)
  }
}

function textMeets({ case: kind, value }: { case?: string | undefined; value?: unknown }, text: string): boolean {
  if (kind === 'exact') return text === value
  if (kind === 'prefix') return text.startsWith(value as string)
  if (kind === 'suffix') return text.endsWith(value as string)
  return text !== ''
}

const token = { iss: 'https://issuer.example/a', sub: 'user/1' }

test.each([
  ['*', true],
  ['https://issuer.example/a/*', true],
  ['https://issuer.*', true],
  ['https://issuer.example/b/*', false],
  ['*/1', true],
  ['*user/1', true],
  ['*r/1', true],
  ['*2', false],
  ['https://issuer.example/a', false],
  ['nothing', false],
])('%s is met by a token: %s', (value, expected) => {
  expect(meets(requestPrincipal(value), token)).toBe(expected)
})

test('issuer and subject are divided at the last slash', () => {
  const plain = { iss: 'https://i/a', sub: 'u' }
  for (const value of ['https://i/a/u', 'https://i/a/*', '*/u', '*a/u', 'https://i/a/u*']) {
    expect([value, meets(requestPrincipal(value), plain)]).toEqual([value, true])
  }
  for (const value of ['https://i/u', '*b/u', 'https://i/b/*', 'https://i/a/v*']) {
    expect([value, meets(requestPrincipal(value), plain)]).toEqual([value, false])
  }
})

test('nothing is met by no token', () => {
  for (const value of ['*', 'a/b', 'a*', '*b']) expect(meets(requestPrincipal(value), {})).toBe(false)
  expect(meets(claimPrincipal(['groups'], '*'), {})).toBe(false)
})

test('a claim is a text or a list, and may lie deeper', () => {
  expect(meets(claimPrincipal(['groups'], 'a*'), { groups: 'ab' })).toBe(true)
  expect(meets(claimPrincipal(['groups'], 'a*'), { groups: ['b', 'ab'] })).toBe(true)
  expect(meets(claimPrincipal(['a', 'b'], 'x'), { a: { b: 'x' } })).toBe(true)
  expect(meets(claimPrincipal(['a', 'b'], 'x'), { a: 'x' })).toBe(false)
})

test('what is made can be sent', () => {
  const made = requestPrincipal('a/b')
  expect(fromBinary(PrincipalSchema, toBinary(PrincipalSchema, made))).toEqual(create(PrincipalSchema, made))
})
