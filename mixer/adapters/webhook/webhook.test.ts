import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { silentLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import type { Handler, Instance } from '../adapter.ts'
import { webhook } from './webhook.ts'

const INSTANCE: Instance = { key: 'i.instance.a', name: 'i', template: 'listentry', values: { value: 'x' } }
const ASK = { amount: 3, bestEffort: false, deduplicationId: 'd' }
type Answer = readonly [status: number, body: string] | 'nothing'
const closings: (() => void)[] = []

afterEach(() => {
  for (const close of closings.splice(0)) close()
})

/** A server that answers so, and what it was asked. */
async function serve(answer: () => Answer) {
  const asked: unknown[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    asked.push(JSON.parse(text))
    const said = answer()
    if (said !== 'nothing') response.writeHead(said[0]).end(said[1])
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closings.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const open = (failureMode: 'OPEN' | 'CLOSED' | 'PROXY', more: object = {}): Handler =>
    webhook.open(
      { url, failureMode, ...more },
      { key: 'h.handler.a', clock, log: silentLogger, metrics, objects: () => [] },
    )
  return { asked, clock, metrics, open, server }
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
}

test('checks and quotas are questions, and their answers are read', async () => {
  let answer: Answer = [200, '{"code": 7, "message": "no", "validDurationMs": 500, "validUseCount": 9, "more": 1}']
  const { asked, open } = await serve(() => answer)
  const handler = open('PROXY')
  expect(await handler.check?.(INSTANCE)).toEqual({ code: 7, message: 'no', validDurationMs: 500, validUseCount: 9 })
  answer = [200, '{}']
  expect(await handler.check?.(INSTANCE)).toEqual({ code: 0, message: '', validDurationMs: 0, validUseCount: 1 })
  answer = [200, '{"granted": 2, "remaining": 5, "maxAmount": 7, "resetMs": 1, "validDurationMs": 60000}']
  expect(await handler.quota?.(INSTANCE, ASK)).toEqual({
    granted: 2,
    remaining: 5,
    maxAmount: 7,
    resetMs: 1,
    validDurationMs: 60_000,
  })
  const head = { version: 1, handler: 'h.handler.a', instance: INSTANCE }
  expect(asked).toEqual([
    { ...head, type: 'check' },
    { ...head, type: 'check' },
    { ...head, type: 'quota', ...ASK },
  ])
})

test.each<[string, Answer]>([
  ['a status of its own', [500, '{"code": 0}']],
  ['no JSON', [200, 'yes']],
  ['nothing', [200, '']],
  ['a list', [200, '[]']],
  ['a code that is none', [200, '{"code": 17}']],
  ['a negative time', [200, '{"code": 0, "validDurationMs": -1}']],
  ['a message that is no text', [200, '{"code": 0, "message": {}}']],
  ['too much', [200, `{"message": "${'x'.repeat(70_000)}"}`]],
])('where it answers %s, the failure mode decides', async (_what, answer) => {
  const { open, metrics } = await serve(() => answer)
  await expect(open('PROXY').check?.(INSTANCE)).rejects.toThrow()
  expect(await open('CLOSED').check?.(INSTANCE)).toMatchObject({ code: 14, validDurationMs: 0, validUseCount: 1 })
  expect(await open('OPEN').check?.(INSTANCE)).toMatchObject({ code: 0, validDurationMs: 0, validUseCount: 1 })
  expect(await open('CLOSED').quota?.(INSTANCE, ASK)).toMatchObject({ granted: 0 })
  expect(await open('OPEN').quota?.(INSTANCE, ASK)).toMatchObject({ granted: 3 })
  expect(metrics.counter('webhook_failures_total').value).toBe(5)
})

test('a question is waited for so long, and so many may be under way', async () => {
  const { open, clock, asked } = await serve(() => 'nothing')
  const handler = open('PROXY', { timeout: '2s', maxConcurrent: 1 })
  const first = Promise.resolve(handler.check?.(INSTANCE)).catch((error: Error) => error.message)
  await expect(handler.check?.(INSTANCE)).rejects.toThrow('too many questions are under way')
  await until(() => asked.length === 1)
  clock.advance(2000)
  expect(await first).toBe('no answer in 2000 ms')
  const again = Promise.resolve(handler.check?.(INSTANCE)).catch((error: Error) => error.message)
  await until(() => asked.length === 2)
  clock.advance(2000)
  expect(await again).toBe('no answer in 2000 ms')
})

test('reports go together, and behind', async () => {
  const { open, asked, clock, metrics } = await serve(() => [204, ''])
  const handler = open('PROXY', { maxBatchSize: 2, flushDuration: '5s' })
  handler.report?.([INSTANCE, INSTANCE, INSTANCE])
  await until(() => metrics.counter('webhook_reports_sent_total').value === 2)
  clock.advance(5000)
  await until(() => metrics.counter('webhook_reports_sent_total').value === 3)
  await handler.close()
  expect(asked).toEqual([
    { version: 1, type: 'report', handler: 'h.handler.a', instances: [INSTANCE, INSTANCE] },
    { version: 1, type: 'report', handler: 'h.handler.a', instances: [INSTANCE] },
  ])
})
