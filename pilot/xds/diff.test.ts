import { expect, test } from '@jest/globals'
import { TYPE_URL, type TypeUrl } from '../../api/type-urls.ts'
import { difference } from './diff.ts'
import { Subscription } from './subscription.ts'
import type { EncodedResource, ResourceView } from './view.ts'

const resource = (name: string, version = '1'): EncodedResource => ({ name, version, bytes: new Uint8Array() })

function viewOf(...resources: EncodedResource[]): ResourceView {
  return { generation: 1, list: () => resources, get: (_type, name) => resources.find((r) => r.name === name) }
}

/** A client that holds all of a view. */
function holding(type: TypeUrl, view: ResourceView): Subscription {
  const subscription = new Subscription(type)
  subscription.isWildcard = true
  for (const { name, version } of view.list(type)) subscription.sent.set(name, version)
  subscription.lastList = view.list(type)
  subscription.syncedView = view
  return subscription
}

const lacks = (subscription: Subscription, view: ResourceView) => {
  const { updated, removed } = difference(subscription, view)
  return [updated.map(({ name, version }) => `${name} ${version}`), removed]
}

const before = viewOf(resource('a'), resource('b'))

test('a client that holds a view lacks nothing of it, and what changed of the next', () => {
  const subscription = holding(TYPE_URL.cluster, before)
  expect(lacks(subscription, before)).toEqual([[], []])
  expect(lacks(subscription, viewOf(resource('a'), resource('b', '2'), resource('c')))).toEqual([['b 2', 'c 1'], []])
  expect(lacks(subscription, viewOf(resource('b')))).toEqual([[], ['a']])
})

test('what it asks for anew is answered though the view is the same', () => {
  const subscription = holding(TYPE_URL.cluster, before)
  subscription.forced.add('a')
  expect(lacks(subscription, before)).toEqual([['a 1'], []])
})

test('one that turns to all there is gets what it does not hold', () => {
  const subscription = holding(TYPE_URL.cluster, before)
  subscription.sent.delete('b')
  subscription.lastList = undefined
  expect(lacks(subscription, before)).toEqual([['b 1'], []])
})
