import { expect, test } from '@jest/globals'
import { connectionFacts } from '../../decide/connection-facts.ts'
import { ConnectionRecord } from '../connection-record.ts'
import { compileJsonFormat, compileTextFormat, DEFAULT_TEXT_FORMAT } from './format.ts'
import { type RecordedTestCall, recordedCall } from './testing.ts'

function line(text: string, call: RecordedTestCall = {}): string {
  const format = compileTextFormat(text, 'log', { omitsEmpty: false })
  return format.write(recordedCall({ ...call, responseFields: format.responseFields }))
}

function json(format: object, call: RecordedTestCall = {}, omitsEmpty = false): string {
  const compiled = compileJsonFormat(format as never, 'log', { omitsEmpty })
  return compiled.write(recordedCall({ ...call, responseFields: compiled.responseFields }))
}

test('the default format', () => {
  const fields = { 'User-Agent': 'curl/8', 'x-request-id': 'abc' }
  expect(line(DEFAULT_TEXT_FORMAT, { fields, path: '/a?b', answer: { 'X-Envoy-Upstream-Service-Time': '12' } })).toBe(
    '[2026-01-02T03:04:05.678Z] "GET /a?b HTTP/1.1" 200 - 7 11 25 12 "-" "curl/8" "abc" "shop.example" "-"\n',
  )
})

test.each<[string, string, RecordedTestCall]>([
  ['%REQ(X-A?X-B)%', 'b', { fields: { 'x-b': 'b' } }],
  ['%REQ(X-A)% %REQ(X-A):3%', 'abcdef abc', { fields: { 'x-a': 'abcdef' } }],
  ['%RESP(X-Served)%|%RESP(:status)%|%RESPONSE_HEADER(no)%', 'v2|200|-', { answer: { 'x-served': 'v2' } }],
  ['%TRAILER(Grpc-Status)%', '5', { trailers: 'grpc-status: 5\r\n' }],
  ['100%% %PROTOCOL%', '100% HTTP/1.1', {}],
  ['%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%', 'UH NoHealthyUpstream', { flag: 'UH' }],
  ['%START_TIME(%Y/%m/%d %H:%M:%S.%3f %s)%', '2026/01/02 03:04:05.678 1767323045', {}],
  ['%START_TIME(%b %e %j %E3S)%', 'Jan  2 002 05.678', {}],
  ['%REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%', '2 - -', {}],
  ['%COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)%', '5000', {}],
  ['%QUERY_PARAM(b)% %QUERY_PARAM(z)% %PATH(NQ)%', '2 - /p', { path: '/p?a=1&b=2' }],
  ['%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_PORT%', '10.0.0.7:4000 80', {}],
  [
    '%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%',
    'NotFound NOT_FOUND 5',
    { fields: { 'content-type': 'application/grpc' }, trailers: 'grpc-status: 5\r\n' },
  ],
  ['%ACCESS_LOG_TYPE%', 'DownstreamEnd', {}],
])('%s', (text, expected, call) => {
  expect(line(text, call)).toBe(expected)
})

test('a client cannot end a line, nor a quoted value', () => {
  const fields = { 'user-agent': 'a"b\n[forged]\\\x7f' }
  expect(line('"%REQ(USER-AGENT)%"\n', { fields })).toBe('"a\\x22b\\x0a[forged]\\x5c\\x7f"\n')
  const written = json({ agent: '%REQ(USER-AGENT)%' }, { fields })
  expect(written.indexOf('\n')).toBe(written.length - 1)
  expect(JSON.parse(written)).toEqual({ agent: 'a"b\n[forged]\\\x7f' })
})

test('bytes beyond ASCII stay as they came; in JSON only those of UTF-8', () => {
  const utf8 = Buffer.from('ä', 'utf8').toString('latin1')
  expect(line('%REQ(A)% ä', { fields: { a: '\xff' } })).toBe(`\xff ${utf8}`)
  const read = (a: string) =>
    JSON.parse(Buffer.from(json({ a: '%REQ(A)%' }, { fields: { a } }), 'latin1').toString('utf8')).a
  expect(read(utf8)).toBe('ä')
  expect(read('x\xff')).toBe('x\xff')
})

test('JSON has its keys in order, values with their types, and null for what is not there', () => {
  const format = {
    status: '%RESPONSE_CODE%',
    b: { text: '%PROTOCOL% %DURATION%', none: '%REQ(X)%' },
    a: [1, '%BYTES_SENT%'],
  }
  expect(json(format)).toBe('{"a":[1,11],"b":{"none":null,"text":"HTTP/1.1 25"},"status":200}\n')
  expect(json(format, {}, true)).toBe('{"a":[1,11],"b":{"text":"HTTP/1.1 25"},"status":200}\n')
})

test('the span that a call has is named', () => {
  const record = recordedCall()
  record.trace = { traceId: 'abc', spanId: 'd', isSampled: true }
  expect(compileTextFormat('%TRACE_ID%', '', { omitsEmpty: false }).write(record)).toBe('abc')
})

test('a connection has no request', () => {
  const record = new ConnectionRecord(connectionFacts({ sourceAddress: '::1', sourcePort: 9 }), 0, 0)
  record.endMs = 3
  record.flag = 'UF'
  const format = compileTextFormat(
    '%REQ(:METHOD)% %RESPONSE_CODE% %RESPONSE_FLAGS% %DURATION% %DOWNSTREAM_REMOTE_ADDRESS% %ACCESS_LOG_TYPE%',
    '',
    { omitsEmpty: false },
  )
  expect(format.write(record)).toBe('- 0 UF 3 [::1]:9 TcpConnectionEnd')
})

test.each<[string, RegExp]>([
  ['%NOBODY_KNOWS%', /^log: the operator %NOBODY_KNOWS% is not supported$/],
  ['%REQ(%', /^log: no operator at character 1/],
  ['a % b', /^log: no operator at character 3/],
  ['%REQ()%', /^log: %REQUEST_HEADER\(\)% does not name one field/],
  ['%START_TIME(%Q)%', /^log: a time cannot be written as "%Q"$/],
  ['%GRPC_STATUS(X)%', /^log: %GRPC_STATUS\(X\)% is no way/],
  ['%COMMON_DURATION(A:B)%', /^log: %COMMON_DURATION\(A:B\)%/],
])('%s is refused', (text, message) => {
  expect(() => compileTextFormat(text, 'log', { omitsEmpty: false })).toThrow(message)
})
