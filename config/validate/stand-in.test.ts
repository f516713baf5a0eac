import { expect, test } from '@jest/globals'
import { MemorySource } from '../sources/memory.ts'
import { codes } from '../testing.ts'

const policy = (spec: string) =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: x}\nspec: ${spec}\n`
const specOf = (source: MemorySource) => source.current().objects.map(({ body }) => body.spec)
const BAD = 'rules: [{to: [{operation: {ports: [http]}}]}]'

test('a policy that becomes invalid stays as it was', () => {
  const source = new MemorySource({ 'a.yaml': policy('{action: DENY, rules: [{}]}') })
  const before = specOf(source)
  source.set('a.yaml', policy(`{action: DENY, ${BAD}}`))
  expect(specOf(source)).toEqual(before)
  expect(codes(source.current().findings)).toEqual(['IST0106'])
})

test('one that was never valid is closed until it is', () => {
  const source = new MemorySource({ 'a.yaml': policy(`{selector: {matchLabels: {app: a}}, ${BAD}}`) })
  expect(specOf(source)).toEqual([{ selector: { matchLabels: { app: 'a' } }, action: 'ALLOW' }])
  expect(codes(source.current().findings)).toEqual(['IST0106', 'LTN0106'])
  source.set('a.yaml', policy(`{selector: {matchLabels: {app: b}}, action: DENY, ${BAD}}`))
  expect(specOf(source)).toEqual([{ selector: { matchLabels: { app: 'b' } }, action: 'DENY', rules: [{}] }])
  source.set('a.yaml', policy('{rules: [{}]}'))
  expect(specOf(source)).toEqual([{ rules: [{}] }])
  expect(source.current().findings).toEqual([])
  source.set('a.yaml', policy(`{action: DENY, ${BAD}}`))
  expect(specOf(source)).toEqual([{ rules: [{}] }])
})

test('it is closed to all that it might select when that cannot be read', () => {
  const source = new MemorySource({ 'a.yaml': policy(`{selector: {matchLabels: {app: [a]}}, action: DENIED}`) })
  expect(specOf(source)).toEqual([{ action: 'DENY', rules: [{}] }])
})

test('what was to change nothing, or is of another kind, changes nothing', () => {
  const source = new MemorySource({
    'a.yaml': policy(`{action: AUDIT, ${BAD}}`),
    'b.yaml': 'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: x}\nspec: {mtls: 1}\n',
  })
  expect(source.current().objects).toEqual([])
})
