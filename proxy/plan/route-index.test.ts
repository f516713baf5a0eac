import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { compileSafeRegex, type SafeRegex } from '../../lib/safe-regex.ts'
import type { PathMatchPlan, RoutePlan } from './plan.ts'
import { RouteIndex } from './route-index.ts'

const routeWith = (path: PathMatchPlan) => ({ match: { path } }) as RoutePlan

function pattern(text: string): SafeRegex {
  const result = compileSafeRegex(text)
  if (!result.ok) throw new Error(result.error)
  return result.regex
}

const segment = fc.constantFrom('a', 'b', 'ab', 'B', '')
const path = fc.array(segment, { maxLength: 3 }).map((segments) => `/${segments.join('/')}`)
const specifier: fc.Arbitrary<PathMatchPlan> = fc.oneof(
  fc.record({ kind: fc.constant('prefix' as const), value: path, ignoreCase: fc.boolean() }),
  fc.record({ kind: fc.constant('path' as const), value: path, ignoreCase: fc.boolean() }),
  fc.record({ kind: fc.constant('path_separated_prefix' as const), value: path, ignoreCase: fc.boolean() }),
  path.map((text) => ({ kind: 'regex' as const, regex: pattern(`${text}.*`) })),
)

/** Whether a specifier can match, at its widest. */
function canMatch(match: PathMatchPlan, subject: string): boolean {
  if (match.kind === 'regex' || match.kind === 'connect' || match.ignoreCase) return true
  return match.kind === 'path' ? subject === match.value : subject.startsWith(match.value)
}

test('the routes that can match a path are found, all of them, in their order', () => {
  fc.assert(
    fc.property(fc.array(specifier, { minLength: 12, maxLength: 60 }), path, path, (specifiers, first, second) => {
      const index = RouteIndex.of(specifiers.map(routeWith)) as RouteIndex
      // A search that was given up leaves nothing behind for the next.
      index.start(first)
      index.next()
      index.start(second)
      const found: number[] = []
      for (let i = index.next(); i >= 0; i = index.next()) found.push(i)
      expect(found).toEqual(specifiers.flatMap((one, i) => (canMatch(one, second) ? [i] : [])))
    }),
  )
})

test('few routes need no index', () => {
  expect(RouteIndex.of([routeWith({ kind: 'prefix', value: '/', ignoreCase: false })])).toBeUndefined()
})
