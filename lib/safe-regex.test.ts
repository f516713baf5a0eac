import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { RE2JS } from 're2js'
import { compileSafeRegex, MAX_PATTERN_LENGTH, missingGroup, type SafeRegex } from './safe-regex.ts'

function compiled(pattern: string): SafeRegex {
  const result = compileSafeRegex(pattern)
  if (!result.ok) throw new Error(result.error)
  return result.regex
}

test('matches the whole text only', () => {
  expect(compiled('/v[12]').fullMatch('/v1')).toBe(true)
  expect(compiled('/v[12]').fullMatch('/v1/x')).toBe(false)
})

test('refuses what RE2 refuses, and patterns that are too long', () => {
  expect(compileSafeRegex('(?=x)').ok).toBe(false)
  expect(compileSafeRegex('('.repeat(3)).ok).toBe(false)
  expect(compileSafeRegex('a'.repeat(MAX_PATTERN_LENGTH + 1)).ok).toBe(false)
})

test('takes linear time on a pattern that blows up a backtracking engine', () => {
  expect(compiled('(a+)+b').fullMatch('a'.repeat(5000))).toBe(false)
})

test('rewrites with RE2 group references', () => {
  expect(compiled('^/service/([^/]+)(/.*)$').replaceAll('/service/foo/v1/api', '\\2/instance/\\1')).toBe(
    '/v1/api/instance/foo',
  )
  expect(compiled('a').replaceAll('banana', '$1\\\\')).toBe('b$1\\n$1\\n$1\\')
  expect(missingGroup(compiled('(a)'), '\\2')).toBe(2)
  expect(missingGroup(compiled('(a)'), '\\1')).toBeUndefined()
})

test('the string shortcuts agree with the engine', () => {
  const piece = fc.constantFrom('a', 'b', '/', '.*', '.+', '\n', '')
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 4 }),
      fc.array(fc.constantFrom('a', 'b', '/', '\n'), { maxLength: 6 }),
      (p, t) => {
        const pattern = p.join('')
        expect(compiled(pattern).fullMatch(t.join(''))).toBe(RE2JS.compile(pattern).matches(t.join('')))
      },
    ),
  )
})
