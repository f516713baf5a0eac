import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { LimitedWorkload } from '../../differential/rate-limit/workload.ts'

/** The example of docs/reference/rate-limit.md does what is written beside it. */

const document = join(dirname(fileURLToPath(import.meta.url)), '../../../docs/reference/rate-limit.md')
const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(readFileSync(document, 'utf8')) ?? []
const PORT = 9080
const workload = new LimitedWorkload([PORT], `\n${example}`)
beforeAll(() => workload.start(undefined), 30_000)
afterAll(() => workload.stop(), 20_000)

async function passed(count: number, path: string, headers = {}, method = 'GET'): Promise<number> {
  const send = () => workload.send('lateen', PORT, path, headers, method)
  const responses = await Promise.all(Array.from({ length: count }, send))
  return responses.filter(({ status }) => status === 200).length
}

test('nothing is wrong with it', () => {
  expect(workload.findings).toEqual([])
})

test('each user has three orders, and those without a name have three together', async () => {
  for (const user of ['a', 'b']) {
    expect(await passed(4, '/orders', { 'x-user': user }, 'POST')).toBe(3)
    expect(await passed(2, '/orders/7?x=1', { 'x-user': user }, 'POST')).toBe(0)
    expect(await passed(2, '/orders', { 'x-user': user })).toBe(2)
    expect(await passed(2, '/ordersome', { 'x-user': user }, 'POST')).toBe(2)
  }
  expect(await passed(5, '/orders', {}, 'POST')).toBe(3)
})

test('what is only tried out refuses nobody', async () => {
  expect(await passed(8, '/search')).toBe(8)
})

test('a caller is told', async () => {
  const { headers } = await workload.send('lateen', PORT, '/orders', { 'x-user': 'c' }, 'POST')
  expect(headers['x-ratelimit-limit']).toBe('3,150')
  expect(headers['ratelimit-policy']).toBe('"match+header:x-user";q=3;w=60,"default";q=150;w=2')
})
