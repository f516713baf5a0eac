import { expect, test } from '@jest/globals'
import { readH2load } from './h2load.ts'
import { answerLength } from './open-loop-connection.ts'
import { readWrk } from './wrk.ts'

const WRK = '  12345 requests in 4.00s, 1.20MB read\n%Requests/sec:   3086.25\nTransfer/sec:    300.00KB\n'

test("wrk's counts are read, and its errors are ours", () => {
  expect(readWrk(WRK.replace('%', ''))).toEqual({ requests: 12345, requestsPerSecond: 3086.25 })
  expect(() => readWrk(WRK.replace('%', '  Non-2xx or 3xx responses: 3\n'))).toThrow('responses: 3')
  expect(() => readWrk(WRK.replace('%', '  Socket errors: connect 0, read 1, write 0, timeout 0\n'))).toThrow('read 1')
  expect(() => readWrk('')).toThrow('no request')
})

function h2loadOutput(succeeded: number, failed: number, timeout: number): string {
  const all = succeeded + failed
  return `finished in 4.00s, 2500.50 req/s, 100.00KB/s
requests: ${all} total, ${all + 80} started, ${all} done, ${succeeded} succeeded, ${failed} failed, 0 errored, ${timeout} timeout
status codes: ${succeeded} 2xx, 0 3xx, 0 4xx, ${failed} 5xx
`
}

test("h2load's counts are read, and its errors are ours", () => {
  expect(readH2load(h2loadOutput(10_002, 0, 0))).toEqual({ requests: 10_002, requestsPerSecond: 2500.5 })
  expect(() => readH2load(h2loadOutput(10_002, 2, 0))).toThrow('2 failed')
  expect(() => readH2load(h2loadOutput(10_002, 0, 1))).toThrow('1 timeout')
  expect(() => readH2load(h2loadOutput(0, 0, 0))).toThrow('0 succeeded')
  expect(() => readH2load('')).toThrow('h2load')
})

test('an answer is as long as its head and the length that it names', () => {
  const length = (text: string) => answerLength(Buffer.from(text))
  const head = 'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\n'
  expect(length(`${head}12`)).toBe(head.length + 5)
  expect(length(head.slice(0, -1))).toBe(-1)
  expect(length(head.replace('200 OK', '503 No'))).toBeUndefined()
  expect(length(head.replace('Content-Length: 5', 'Transfer-Encoding: chunked'))).toBeUndefined()
  expect(length('x'.repeat(9000))).toBeUndefined()
})
