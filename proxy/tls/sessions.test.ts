import { expect, test } from '@jest/globals'
import type { UpstreamTlsPlan } from '../plan/tls-plan.ts'
import { SessionStore, sessionsOf } from './sessions.ts'

const session = Buffer.from('s')

test('a session is kept for its name until the certificate ends', () => {
  const store = new SessionStore()
  store.keep('a', session, 1000)
  expect(store.take('a', 999)).toBe(session)
  expect(store.take('b', 999)).toBeUndefined()
  expect(store.take('a', 1000)).toBeUndefined()
  expect(store.take('a', 0)).toBeUndefined()
})

test('names that requests choose do not pile up', () => {
  const store = new SessionStore()
  for (let i = 0; i < 300; i++) store.keep(`name-${i}`, session, 1000)
  expect(store.take('name-43', 0)).toBeUndefined()
  expect(store.take('name-44', 0)).toBe(session)
  store.forget('name-44')
  expect(store.take('name-44', 0)).toBeUndefined()
})

test('another plan has sessions of its own', () => {
  const [first, second] = [{}, {}] as UpstreamTlsPlan[] as [UpstreamTlsPlan, UpstreamTlsPlan]
  sessionsOf(first).keep('a', session, 1000)
  expect(sessionsOf(first).take('a', 0)).toBe(session)
  expect(sessionsOf(second).take('a', 0)).toBeUndefined()
})
