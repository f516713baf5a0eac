import { expect, test } from '@jest/globals'
import { problemsOf } from '../../testing.ts'

function problems(spec: object): [string, string][] {
  const object = { apiVersion: 'telemetry.istio.io/v1', kind: 'Telemetry', metadata: { name: 'x' }, spec }
  return problemsOf(JSON.stringify(object)).map(([code, , message]) => [code, message])
}

test('what is sound', () => {
  const customTags = {
    a: { literal: { value: 'b' } },
    c: { environment: { name: 'D', defaultValue: 'e' } },
    f: { header: { name: 'x-g' } },
  }
  const tagOverrides = { request_host: { value: 'request.host' }, source_app: { operation: 'REMOVE' } }
  expect(
    problems({
      selector: { matchLabels: { app: 'x' } },
      tracing: [{ providers: [{ name: 'z' }], randomSamplingPercentage: 0.5, customTags }],
      metrics: [{ overrides: [{ match: { metric: 'REQUEST_COUNT', mode: 'SERVER' }, tagOverrides, disabled: false }] }],
      accessLogging: [{ filter: { expression: 'response.code >= 400' } }, { disabled: true }],
    }),
  ).toEqual([])
  expect(problems({})).toEqual([])
})

test.each([
  [{ tracing: [{ randomSamplingPercentage: 101 }] }, 'tracing'],
  [{ tracing: [{ providers: [{ name: 'a' }, { name: 'b' }] }] }, 'tracing[0].providers'],
  [{ tracing: [{ customTags: { a: {} } }] }, 'tracing[0].customTags.a'],
  [{ tracing: [{ customTags: { a: { header: { name: 'a b' } } } }] }, 'tracing[0].customTags.a.header.name'],
  [{ metrics: [{ overrides: [{ match: { metric: 'SPEED' } }] }] }, 'metrics'],
  [
    { metrics: [{ overrides: [{ match: { metric: 'REQUEST_COUNT', customMetric: 'x' } }] }] },
    'metrics[0].overrides[0].match',
  ],
  [
    { metrics: [{ overrides: [{ tagOverrides: { 'a-b': { value: '1' } } }] }] },
    'metrics[0].overrides[0].tagOverrides.a-b',
  ],
  [{ metrics: [{ overrides: [{ tagOverrides: { a: {} } }] }] }, 'metrics[0].overrides[0].tagOverrides.a.value'],
  [
    { metrics: [{ overrides: [{ tagOverrides: { a: { operation: 'REMOVE', value: '1' } } }] }] },
    'metrics[0].overrides[0].tagOverrides.a.value',
  ],
  [{ accessLogging: [{ filter: {} }] }, 'accessLogging[0].filter.expression'],
])('%j is refused', (spec, path) => {
  const [[code, message]] = problems(spec) as [[string, string]]
  expect([code, message.startsWith(`spec.${path}`) ? path : message]).toEqual(['IST0106', path])
})
