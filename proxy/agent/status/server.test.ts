import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { EMPTY_PLAN } from '../../plan/plan.ts'
import type { Agent } from '../agent.ts'
import { applicationScrape, asPlain } from './application-scrape.ts'
import { StatusServer } from './server.ts'

const closing: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close()
})

async function application(status: number, body: string): Promise<number> {
  const server: Server = createServer((_, response) => response.writeHead(status).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(server)
  return (server.address() as AddressInfo).port
}

async function statusOf(port: number | undefined, isReady = true) {
  const metrics = new MetricStore()
  metrics.counter('istio_requests_total', { reporter: 'source' }).inc()
  let scrapes = 0
  const planes = { metrics, connectionCount: 0, noteScrape: () => scrapes++ }
  const around = { clock: new ManualClock(), startedMs: 0, resources: { plan: EMPTY_PLAN }, workers: 0 }
  const agent = { ...around, planes, isReady } as unknown as Agent
  const place = port === undefined ? undefined : { path: '/metrics', port }
  const server = new StatusServer(agent, 0, place, metrics)
  await server.open()
  closing.push(server)
  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`)
    return { status: answer.status, text: await answer.text() }
  }
  return { get, scrapes: () => scrapes }
}

test("the workload's metrics come behind our own, without the mark of their end", async () => {
  const { get, scrapes } = await statusOf(await application(200, 'app_total 3\n# EOF\n'))
  const { status, text } = await get('/stats/prometheus')
  expect(status).toBe(200)
  expect(text).toContain('\nistio_requests_total{reporter="source"} 1\n')
  expect(text.endsWith('\napp_total 3\n')).toBe(true)
  expect(scrapes()).toBe(1)
})

test('a workload that cannot tell costs only its own metrics, and is counted', async () => {
  const { get } = await statusOf(await application(500, 'no'))
  expect((await get('/stats/prometheus')).text).toContain('istio_requests_total')
  const { text } = await get('/stats/prometheus')
  expect(text).not.toContain('\nno')
  expect(text).toContain('istio_agent_scrape_failures_total{type="application"} 1\n')
  expect(text).toMatch(/istio_agent_scrapes_total 2\n/)
})

test('readiness is told, and nothing else', async () => {
  const ready = await statusOf(undefined)
  expect((await ready.get('/healthz/ready')).status).toBe(200)
  expect((await ready.get('/config_dump')).status).toBe(404)
  const { get } = await statusOf(undefined, false)
  expect((await get('/healthz/ready')).status).toBe(503)
})

test('annotations are read as injectors write them', () => {
  expect(applicationScrape('')).toBeUndefined()
  expect(applicationScrape('{"scrape":"false","path":"/m","port":"80"}')).toBeUndefined()
  expect(applicationScrape('{"scrape":"true","path":"","port":""}')).toEqual({ path: '/metrics', port: 80 })
  expect(applicationScrape('{"scrape":"true","path":"m","port":"9090"}')).toEqual({ path: '/m', port: 9090 })
  expect(applicationScrape('{"scrape":"true","port":"70000"}')).toBeUndefined()
  expect(applicationScrape('{')).toBeUndefined()
  expect(asPlain('a 1')).toBe('a 1\n')
})
