import { expect, test } from '@jest/globals'
import { parseResponseHead } from '../../http1/response-parser.ts'
import { ResponseHead } from '../../stream/message.ts'
import { statusOf } from './response-status.ts'

function head(...lines: string[]): ResponseHead {
  const bytes = Buffer.from(`HTTP/1.1 200 OK\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`, 'latin1')
  const parsed = new ResponseHead()
  expect(parseResponseHead(bytes, 0, bytes.length - 4, parsed, 'POST')).toBeUndefined()
  return parsed
}

test.each([
  [0, 200],
  [1, 499],
  [2, 500],
  [3, 400],
  [4, 504],
  [5, 404],
  [6, 409],
  [7, 403],
  [8, 429],
  [9, 400],
  [10, 409],
  [11, 400],
  [12, 501],
  [13, 500],
  [14, 503],
  [15, 500],
  [16, 401],
  [17, 500],
])('gRPC status %i in a head counts as %i', (grpc, http) => {
  expect(statusOf(head('content-type: application/grpc+proto', `grpc-status: ${grpc}`))).toBe(http)
})

test('nobody else can have a status of gRPC', () => {
  expect(statusOf(head('content-type: text/plain', 'grpc-status: 14'))).toBe(200)
  expect(statusOf(head('grpc-status: 14'))).toBe(200)
  expect(statusOf(head('content-type: application/grpc'))).toBe(200)
  expect(statusOf(head('content-type: application/grpc', 'grpc-status: what'))).toBe(500)
})
