import { expect, test } from '@jest/globals'
import type { ResponseFlag } from '../../../api/response-flags.ts'
import { connectionFacts } from '../../decide/connection-facts.ts'
import { newDecision } from '../../decide/decision.ts'
import { HeaderBlock } from '../../stream/header-block.ts'
import { RequestHead } from '../../stream/message.ts'
import { CallRecord } from '../call-record.ts'
import { ConnectionRecord } from '../connection-record.ts'
import { CallObservers } from '../observers.ts'
import { compileCel } from './compile.ts'

/** A call of `GET /a/b?x=1` that was answered by 503 after 1500 ms. */
function call(responseFields: readonly string[] = []): CallRecord {
  const head = new RequestHead()
  head.method = 'GET'
  head.path = '/a/b?x=1'
  head.authority = 'shop.example'
  head.append('User-Agent', 'curl/8')
  head.append('x-count', '12')
  const decision = newDecision()
  decision.flag = 'UH' satisfies ResponseFlag
  decision.detail = 'no_healthy_upstream'
  decision.metadata = new Map([
    ['envoy.filters.http.jwt_authn', { payload: { iss: 'me', level: 3, tags: ['a', 'b'] } }],
  ])
  const facts = connectionFacts({
    sourceAddress: '10.0.0.7',
    sourcePort: 4000,
    destinationAddress: '10.0.0.9',
    destinationPort: 80,
  })
  const record = new CallRecord({ head, facts, decision })
  record.begin(new CallObservers([{ responseFields }], () => {}), {} as never, 1000, Date.UTC(2026, 0, 2, 3, 4, 5))
  record.endMs = 2500
  record.receivedBytes = 40
  record.trailers = 'Grpc-Status: 14\r\nx-other: y\r\n'
  const answer = new HeaderBlock()
  answer.append('X-Served-By', 'v2')
  record.keepResponse(503, answer)
  return record
}

function value(text: string): unknown {
  const expression = compileCel(text, 'filter')
  return expression.evaluate(call(expression.responseFields), {
    id: 'sidecar~1',
    cluster: 'shop',
    metadata: { NAMESPACE: 'ns' },
    zone: 'z1',
  })
}

test.each<[string, unknown]>([
  ['response.code >= 400', true],
  ['response.code == 503 && request.method == "GET"', true],
  ['response.code < 400 || request.url_path.startsWith("/a")', true],
  ['request.path', '/a/b?x=1'],
  ['request.url_path', '/a/b'],
  ['request.query', 'x=1'],
  ['request.host + ":" + string(destination.port)', 'shop.example:80'],
  ['source.address', '10.0.0.7:4000'],
  ['request.useragent.contains("curl")', true],
  ['request.headers["X-Count"]', '12'],
  ['int(request.headers["x-count"]) * 2 - 1', 23],
  ['request.headers["x-none"] == "a"', undefined],
  ['has(request.headers.absent)', false],
  ['has(request.referer)', false],
  ['"x-count" in request.headers', true],
  ['request.headers["x-none"] == "a" || true', true],
  ['false && request.headers["x-none"] == "a"', false],
  ['response.headers["x-served-by"]', 'v2'],
  ['"x-served-by" in response.headers ? "yes" : "no"', 'yes'],
  ['response.trailers["x-other"]', 'y'],
  ['response.grpc_status', 14],
  ['response.flags', 2],
  ['response.code_details.matches("^no_.*")', true],
  ['request.duration > duration("1s400ms")', true],
  ['request.duration < duration("1.5s")', false],
  ['request.time.getFullYear()', 2026],
  ['string(request.time)', '2026-01-02T03:04:05Z'],
  ['connection.mtls', false],
  ['has(connection.tls_version)', false],
  ['upstream.address', undefined],
  ['metadata.filter_metadata["envoy.filters.http.jwt_authn"]["payload"].iss', 'me'],
  ['metadata.filter_metadata["envoy.filters.http.jwt_authn"].payload.level == 3', true],
  ['"b" in metadata.filter_metadata["envoy.filters.http.jwt_authn"].payload.tags', true],
  ['metadata.filter_metadata["none"]', undefined],
  ['xds.node.metadata.NAMESPACE', 'ns'],
  ['[1, 2, 3].exists(n, n > 2) && ![1, 2].all(n, n > 1)', true],
  ['[1, 2, 3].map(n, n * 2)[2]', 6],
  ['request.headers.exists(name, name == "user-agent")', true],
  ['size("äb") + size([1])', 3],
  ['7 / 2', 3],
  ['7.0 / 2.0', 3.5],
  ['-7 % 3', -1],
  ['1 / 0', undefined],
  ['response.code == "503"', false],
  ['response.code > "503"', undefined],
  ['response.code + "x"', undefined],
  ['what.is.this', undefined],
  ['request', undefined],
  ['{"a": 1}.a', 1],
])('%s is %p', (text, expected) => {
  expect(value(text)).toEqual(expected)
})

test.each<[string, RegExp]>([
  ['response.code >=', /^filter: no expression of CEL/],
  ['frobnicate(1)', /^filter: no function frobnicate\(\)/],
  ['request.path.startsWith()', /^filter: startsWith\(\) takes 1 operands, not 0$/],
  ['request.path.matches("(")', /^filter: matches\(\): /],
  ['request.path.matches(request.host)', /^filter: matches\(\) takes a pattern that is written out/],
  ['response.headers[request.host]', /^filter: response\.headers is asked for by names/],
  ['size(response.headers)', /^filter: response\.headers is asked for by names/],
  ['99999999999999999 == 1', /^filter: .* is more than integers hold/],
  [`"${'a'.repeat(5000)}"`, /^filter: the expression has 5002 characters/],
])('%s is refused', (text, message) => {
  expect(() => compileCel(text, 'filter')).toThrow(message)
})

test('an expression says which fields of answers it reads', () => {
  const text =
    'response.headers["A"] == "" || has(response.headers.b) || "c" in response.headers || response.grpc_status == 0'
  expect(compileCel(text, '').responseFields).toEqual(['a', 'b', 'c', 'grpc-status'])
})

test('connections are asked as calls are, and have nothing of requests', () => {
  const facts = connectionFacts({ sourceAddress: '10.0.0.7', sourcePort: 4000 })
  const record = new ConnectionRecord(facts, 0, 0)
  record.flag = 'UF'
  expect(compileCel('source.port == 4000 && response.flags == 32 && !has(request.path)', '').evaluate(record)).toBe(
    true,
  )
  expect(compileCel('request.path == "/"', '').evaluate(record)).toBeUndefined()
})
