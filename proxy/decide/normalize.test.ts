import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { hasEscapedSlash, normalizePath, type PathRules } from './normalize.ts'

const PLAIN: PathRules = { normalizePath: true, mergeSlashes: true, escapedSlashes: 'keep' }

test.each([
  ['/a/./b', '/a/b'],
  ['/a/b/..', '/a/'],
  ['/a/%2e%2E/b', '/b'],
  ['/a//b///c', '/a/b/c'],
  ['/%7Ea%20%c3%a9', '/~a%20%C3%A9'],
  ['/a\\b', '/a/b'],
  ['/a?b=/../%41//', '/a?b=/../%41//'],
  ['/..', undefined],
  ['/a/../..', undefined],
  ['/a%00', undefined],
])('%s becomes %s', (path, wanted) => {
  expect(normalizePath(path, PLAIN)).toBe(wanted)
})

test('slashes in disguise are those of the path only', () => {
  expect(['/a%2Fb', '/a%5cb', '/a?%2f', '/a'].map(hasEscapedSlash)).toEqual([true, true, false, false])
})

const segment = fc.constantFrom(
  'a',
  '..',
  '.',
  '',
  '%2e',
  '%2E%2e',
  '%2f',
  '%5C',
  '%41',
  '%',
  '%zz',
  '..;',
  'b;c',
  '%25',
  '\\',
  '?',
)
const path = fc.array(segment, { maxLength: 8 }).map((parts) => `/${parts.join('/')}`)

test.each(['keep', 'unescape', 'redirect'] as const)(
  'what is normal stays as it is (escaped slashes: %s)',
  (escapedSlashes) => {
    const rules = { ...PLAIN, escapedSlashes }
    fc.assert(
      fc.property(path, (text) => {
        const once = normalizePath(text, rules)
        fc.pre(once !== undefined)
        const plain = (once as string).split('?')[0] as string
        expect(plain).toMatch(/^\//)
        expect(plain).not.toMatch(/\/\/|\/\.{1,2}(\/|$)|%2e|%00/i)
        expect(normalizePath(once as string, { ...rules, escapedSlashes: 'keep' })).toBe(once)
      }),
    )
  },
)
