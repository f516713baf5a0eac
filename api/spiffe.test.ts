import { expect, test } from '@jest/globals'
import { formatSpiffeId, parseSpiffeId, spiffeId } from './spiffe.ts'

test('an id is read as it is written', () => {
  const id = spiffeId('cluster.local', 'default', 'bookinfo-reviews')
  if (id === undefined) throw new Error('expected an id')
  expect(formatSpiffeId(id)).toBe('spiffe://cluster.local/ns/default/sa/bookinfo-reviews')
  expect(parseSpiffeId(formatSpiffeId(id))).toEqual(id)
})

test.each([
  '',
  'spiffe://cluster.local',
  'https://cluster.local/ns/default/sa/a',
  'spiffe://cluster.local/ns/default/sa/a/b',
  'spiffe://cluster.local/ns//sa/a',
  'spiffe://cluster.local/ns/default/sa/',
  'spiffe:///ns/default/sa/a',
  'spiffe://cluster.local/NS/default/sa/a',
  'spiffe://cluster.local/ns/default/sa/..',
  'spiffe://cluster.local/ns/default/sa/a%2fb',
  'spiffe://cluster.local/ns/de.fault/sa/a',
  'spiffe://Cluster.local/ns/default/sa/a',
])('%p is none', (uri) => {
  expect(parseSpiffeId(uri)).toBeUndefined()
})
