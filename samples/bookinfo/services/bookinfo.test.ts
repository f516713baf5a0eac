import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { App } from '../app/server.ts'
import { createDetails } from './details.ts'
import { createProductpage } from './productpage.ts'
import { createRatings } from './ratings.ts'
import { createReviews, type Reviews } from './reviews.ts'

const ANY = { host: '127.0.0.1', port: 0 }
const apps: App[] = []
/** Stands where a sidecar would: sends each call where its Host header says, and remembers its headers. */
let egress: Server
const ports = new Map<string, number>()
let seen: NodeJS.Dict<string | string[]>[] = []
let base = ''

async function listen(app: App): Promise<number> {
  apps.push(app)
  return app.listen(ANY)
}

beforeAll(async () => {
  egress = createServer((incoming, response) => {
    seen.push(incoming.headers)
    const port = ports.get(incoming.headers.host ?? '')
    if (port === undefined) {
      response.writeHead(503).end()
      return
    }
    const { url, headers } = incoming
    request({ host: '127.0.0.1', port, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502)
      answer.pipe(response)
    }).end()
  })
  await new Promise<void>((resolve) => egress.listen(0, '127.0.0.1', resolve))
  const via = { host: '127.0.0.1', port: (egress.address() as AddressInfo).port }
  const spec = (service: string, version: string) => ({
    service,
    version,
    pod: `${service}-${version}-x`,
    listen: ANY,
    via,
  })
  ports.set('details:9080', await listen(createDetails()))
  ports.set('ratings:9080', await listen(createRatings()))
  ports.set('v1', await listen(createReviews(spec('reviews', 'v1'))))
  ports.set('v2', await listen(createReviews(spec('reviews', 'v2'))))
  ports.set('v3', await listen(createReviews(spec('reviews', 'v3'))))
  base = `http://127.0.0.1:${await listen(createProductpage(spec('productpage', 'v1')))}`
})

afterAll(async () => {
  egress.closeAllConnections()
  egress.close()
  await Promise.all(apps.map((app) => app.close()))
})

function useReviews(version: string): void {
  ports.set('reviews:9080', ports.get(version) as number)
  seen = []
}

async function getJson<T>(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(base + path, { headers })
  return { status: response.status, value: (await response.json()) as T }
}

test('each version of reviews has its own stars', async () => {
  useReviews('v1')
  const v1 = await getJson<Reviews>('/api/v1/products/0/reviews')
  expect(v1).toMatchObject({ status: 200, value: { version: 'v1', podname: 'reviews-v1-x' } })
  expect(v1.value.reviews[0]?.rating).toBeUndefined()
  useReviews('v2')
  expect((await getJson<Reviews>('/api/v1/products/0/reviews')).value.reviews[0]?.rating).toEqual({
    stars: 5,
    color: 'black',
  })
  useReviews('v3')
  expect((await getJson<Reviews>('/api/v1/products/0/reviews')).value.reviews[1]?.rating).toEqual({
    stars: 4,
    color: 'red',
  })
})

test('without ratings the reviews are still there', async () => {
  useReviews('v2')
  const ratings = ports.get('ratings:9080') as number
  ports.delete('ratings:9080')
  const { status, value } = await getJson<Reviews>('/api/v1/products/0/reviews')
  ports.set('ratings:9080', ratings)
  expect(status).toBe(200)
  expect(value.reviews[0]?.rating).toEqual({ error: 'Ratings are not available just now' })
})

test('the user goes all the way down, and nothing that belongs to a trace', async () => {
  useReviews('v2')
  await getJson('/api/v1/products/0/reviews', { traceparent: 't1', 'end-user': 'jason', other: 'x' })
  expect(seen.map((headers) => headers.host)).toEqual(['reviews:9080', 'ratings:9080'])
  for (const headers of seen) {
    expect(headers['end-user']).toBe('jason')
    expect(headers.traceparent ?? headers.other).toBeUndefined()
  }
})

test('who signs in is known to every service, until signing out', async () => {
  useReviews('v1')
  const login = await fetch(`${base}/login`, {
    method: 'POST',
    body: new URLSearchParams({ username: 'jason' }),
    redirect: 'manual',
  })
  expect(login.status).toBe(303)
  const setCookie = login.headers.get('set-cookie') ?? ''
  expect(setCookie).toMatch(/; HttpOnly; SameSite=Lax$/)
  const cookie = setCookie.split(';')[0] as string
  await getJson('/api/v1/products/0/reviews', { cookie, 'end-user': 'somebody-else' })
  expect(seen.at(-1)?.['end-user']).toBe('jason')
  expect(await (await fetch(`${base}/productpage`, { headers: { cookie } })).text()).toContain('Signed in as')
  await fetch(`${base}/logout`, { method: 'POST', headers: { cookie }, redirect: 'manual' })
  await getJson('/api/v1/products/0/reviews', { cookie })
  expect(seen.at(-1)?.['end-user']).toBeUndefined()
})

test.each(['', '<b>', 'a b', 'x'.repeat(65)])('nobody is called %j', async (username) => {
  const login = await fetch(`${base}/login`, {
    method: 'POST',
    body: new URLSearchParams({ username }),
    redirect: 'manual',
  })
  expect(login.status).toBe(303)
  expect(login.headers.get('set-cookie')).toBeNull()
})

test('the API has the products, and each of their parts', async () => {
  useReviews('v1')
  expect((await getJson('/api/v1/products')).value).toHaveLength(1)
  expect((await getJson('/api/v1/products/0')).value).toMatchObject({ id: 0, author: 'William Shakespeare' })
  expect((await getJson('/api/v1/products/0/ratings')).value).toMatchObject({ ratings: { Reviewer1: 5 } })
  expect((await getJson('/api/v1/products/1')).status).toBe(404)
  expect((await getJson('/health')).value).toEqual({ status: 'healthy' })
  expect((await getJson('/nothing')).status).toBe(404)
  ports.delete('reviews:9080')
  expect((await getJson<Reviews>('/api/v1/products/0/reviews')).status).toBe(503)
})
