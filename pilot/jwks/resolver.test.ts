import { expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { JwksResolver } from './resolver.ts'

const KEYS = (kid: string) => JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0', kid }] })
const RULE = { issuer: 'https://a.test/', jwksUri: 'https://a.test/keys' }

function resolverOf(pages: Record<string, string | Error>) {
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const asked: string[] = []
  const fetch = async (url: string) => {
    asked.push(url)
    const page = pages[url] ?? new Error(`${url}: status 404`)
    if (page instanceof Error) throw page
    return page
  }
  const resolver = new JwksResolver({ clock, metrics, fetch, log: silentLogger, random: { next: () => 0.5 } })
  const settle = async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve()
  }
  const text = () => resolver.snapshot().keysOf(RULE).text
  return { resolver, clock, asked, settle, text, pages, metrics }
}

test('keys are fetched once for all rules with the same source, and again every 20 minutes', async () => {
  const { resolver, clock, asked, settle, text, pages } = resolverOf({ [RULE.jwksUri]: KEYS('1') })
  let changes = 0
  resolver.onChange(() => changes++)
  resolver.use([RULE, { ...RULE, audiences: ['x'] }])
  expect(resolver.isWaiting).toBe(true)
  expect(text()).toContain('nobody')
  await resolver.settled()
  expect([text(), resolver.isWaiting, changes]).toEqual([KEYS('1'), false, 1])
  const before = resolver.snapshot()
  pages[RULE.jwksUri] = KEYS('2')
  clock.advance(20 * 60_000 - 1)
  expect(asked.length).toBe(1)
  clock.advance(1)
  await settle()
  expect([text(), asked.length, changes]).toEqual([KEYS('2'), 2, 2])
  expect(before.keysOf(RULE).text).toBe(KEYS('1'))
})

test('keys that stay the same are the same object, and no change', async () => {
  const { resolver, clock, settle } = resolverOf({ [RULE.jwksUri]: KEYS('1') })
  resolver.use([RULE])
  await resolver.settled()
  const keys = resolver.snapshot().keysOf(RULE)
  let changes = 0
  resolver.onChange(() => changes++)
  clock.advance(20 * 60_000)
  await settle()
  expect(resolver.snapshot().keysOf(RULE)).toBe(keys)
  expect(changes).toBe(0)
})

test('a failure at first makes every token fail, is said, and is tried again', async () => {
  const { resolver, clock, settle, text, pages, metrics } = resolverOf({ [RULE.jwksUri]: new Error('down') })
  resolver.use([RULE])
  await resolver.settled()
  const failing = JSON.parse(text()).keys[0]
  expect([failing.kid, failing.d]).toEqual(['nobody', undefined])
  expect(resolver.status()).toEqual([{ source: RULE.jwksUri, state: 'failing', keys: 0, lastError: 'down' }])
  expect(metrics.gauge('pilot_jwks_failing').value).toBe(1)
  pages[RULE.jwksUri] = KEYS('1')
  clock.advance(1500)
  await settle()
  expect(text()).toBe(KEYS('1'))
  expect(metrics.gauge('pilot_jwks_failing').value).toBe(0)
})

test.each([
  ['down', new Error('down')],
  ['no JSON', '<html>'],
  ['no keys', '{"keys":[]}'],
  ['too many keys', JSON.stringify({ keys: Array.from({ length: 101 }, () => ({})) })],
])('a failure later (%s) leaves the keys of before', async (_name, page) => {
  const { resolver, clock, settle, text, pages } = resolverOf({ [RULE.jwksUri]: KEYS('1') })
  resolver.use([RULE])
  await resolver.settled()
  pages[RULE.jwksUri] = page
  clock.advance(20 * 60_000)
  await settle()
  expect(text()).toBe(KEYS('1'))
  expect(resolver.status()[0]?.state).toBe('stale')
})

test('without jwksUri the issuer is asked where its keys are', async () => {
  const rule = { issuer: 'https://a.test/' }
  const { resolver, asked } = resolverOf({
    'https://a.test/.well-known/openid-configuration': '{"jwks_uri":"https://keys.test/k"}',
    'https://keys.test/k': KEYS('1'),
  })
  resolver.use([rule])
  await resolver.settled()
  expect(resolver.snapshot().keysOf(rule).text).toBe(KEYS('1'))
  expect(asked).toEqual(['https://a.test/.well-known/openid-configuration', 'https://keys.test/k'])
})

test('what no rule needs any more is forgotten, and not asked again', async () => {
  const { resolver, clock, asked, settle, text } = resolverOf({ [RULE.jwksUri]: KEYS('1') })
  resolver.use([RULE])
  await resolver.settled()
  resolver.use([])
  clock.advance(60 * 60_000)
  await settle()
  expect([asked.length, clock.pendingTimers]).toEqual([1, 0])
  expect(text()).toContain('nobody')
})
