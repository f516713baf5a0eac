import { expect, test } from '@jest/globals'
import { problemsOf } from '../../testing.ts'

function problems(...limits: object[]): [string, string][] {
  const object = { apiVersion: 'lateen.mesh/v1alpha1', kind: 'RateLimit', metadata: { name: 'x' }, spec: { limits } }
  return problemsOf(JSON.stringify(object)).map(([code, , message]) => [code, message])
}
const limit = (fields: object = {}) => ({ requests: 10, per: '1s', ...fields })

test('what is sound', () => {
  const by = [{ header: 'x-user' }, { peer: true }, { sourceIP: true }, { path: true }]
  const match = { paths: ['/', '/a*'], methods: ['GET'], headers: { 'x-a': { regex: 'a+' }, 'x-b': {} } }
  expect(problems(limit(), limit({ by, match, port: 80, burst: 20, dryRun: true, direction: 'OUTBOUND' }))).toEqual([])
})

test.each([
  [{ requests: 0 }, 'requests'],
  [{ requests: 1.5 }, 'requests'],
  [{ per: 'soon' }, 'per'],
  [{ per: '10ms' }, 'per'],
  [{ burst: 0 }, 'burst'],
  [{ by: [{}] }, 'by[0]'],
  [{ by: [{ header: 'a', path: true }] }, 'by[0]'],
  [{ by: [{ header: 'a b' }] }, 'by[0].header'],
  [{ by: [{ path: false }] }, 'by[0]'],
  [{ by: Array.from({ length: 5 }, (_, i) => ({ header: `x-${i}` })) }, 'by'],
  [{ match: { paths: ['a'] } }, 'match.paths[0]'],
  [{ match: { paths: ['/a*b'] } }, 'match.paths[0]'],
  [{ match: { paths: ['/a?b'] } }, 'match.paths[0]'],
  [{ match: { methods: ['get'] } }, 'match.methods[0]'],
  [{ match: { headers: { 'x-a': { regex: '(' } } } }, 'match.headers'],
  [{ direction: 'SIDEWAYS' }, 'direction'],
])('%j is refused', (fields, path) => {
  const [[code, message]] = problems(limit(fields)) as [[string, string]]
  expect([code, message.startsWith(`spec.limits[0].${path}`)]).toEqual(['IST0106', true])
})

test('what is probably not meant', () => {
  expect(problems(limit({ burst: 2 }))).toEqual([['IST0133', expect.stringContaining('spec.limits[0].burst')]])
  expect(problems(limit(), limit({ requests: 5 }))).toEqual([['IST0133', expect.stringContaining('limits[0]')]])
})
