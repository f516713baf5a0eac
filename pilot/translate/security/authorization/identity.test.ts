import { expect, test } from '@jest/globals'
import { namespaceText, principalText, serviceAccountText, trustDomainText, withAliases } from './identity.ts'

const mesh = { trustDomain: 'td', trustDomainAliases: ['old'] }

test.each([
  ['td/ns/a/sa/b', ['td/ns/a/sa/b', 'old/ns/a/sa/b']],
  ['old/ns/a/*', ['td/ns/a/*', 'old/ns/a/*']],
  ['cluster.local/ns/a/sa/b', ['td/ns/a/sa/b', 'old/ns/a/sa/b']],
  ['other/ns/a/sa/b', ['other/ns/a/sa/b']],
  ['*', ['*']],
  ['*/ns/a/sa/b', ['*/ns/a/sa/b']],
  ['*d/ns/a/sa/b', ['*d/ns/a/sa/b']],
  ['t*', ['t*']],
])('%s means %j', (value, expected) => {
  expect(withAliases(value, mesh)).toEqual(expected)
})

test('a trust domain that ends or begins so is kept, and the others take its place', () => {
  expect(withAliases('*td/ns/a/sa/b', mesh)).toEqual(['*td/ns/a/sa/b', 'old/ns/a/sa/b'])
})

const pattern = (matcher: { matchPattern: { case?: string | undefined; value?: unknown } }) => {
  const { case: kind, value } = matcher.matchPattern
  return [kind, kind === 'safeRegex' ? (value as { regex: string }).regex : value]
}

test('what is matched of an id', () => {
  expect(pattern(principalText('*'))).toEqual(['safeRegex', '.+'])
  expect(pattern(principalText('td/ns/a/sa/b'))).toEqual(['exact', 'spiffe://td/ns/a/sa/b'])
  expect(pattern(principalText('td/ns/a/*'))).toEqual(['prefix', 'spiffe://td/ns/a/'])
  expect(pattern(principalText('*/sa/b.c'))).toEqual(['safeRegex', 'spiffe://.*/sa/b\\.c'])
  expect(pattern(namespaceText('a*'))).toEqual(['safeRegex', '.*/ns/a.*/.*'])
  expect(pattern(serviceAccountText('b', 'a'))).toEqual(['suffix', '/ns/a/sa/b'])
  expect(pattern(serviceAccountText('c/b', 'a'))).toEqual(['suffix', '/ns/c/sa/b'])
  expect(pattern(trustDomainText('td'))).toEqual(['prefix', 'spiffe://td/'])
  expect(pattern(trustDomainText('*.td'))).toEqual(['safeRegex', 'spiffe://[^/]*\\.td/.*'])
})
