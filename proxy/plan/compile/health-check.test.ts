import { expect, test } from '@jest/globals'
import { clusterPlan } from '../testing.ts'

const BASE = { timeout: '1s', interval: '2s', unhealthyThreshold: 3, healthyThreshold: 2 }
const check = (fields: object, more: object[] = [], cluster: object = {}) =>
  clusterPlan({ healthChecks: [{ ...BASE, ...fields }, ...more], ...cluster }).healthCheck

const http = (fields: object) => check({ httpHealthCheck: { path: '/', ...fields } })

test('intervals that are not given are those that Envoy takes', () => {
  expect(clusterPlan({}).healthCheck).toBeUndefined()
  expect(check({ tcpHealthCheck: {}, unhealthyInterval: '5s' })).toMatchObject({
    intervalMs: 2000,
    unhealthyIntervalMs: 5000,
    unhealthyEdgeIntervalMs: 5000,
    healthyEdgeIntervalMs: 2000,
    noTrafficIntervalMs: 60_000,
    noTrafficHealthyIntervalMs: 60_000,
    reusesConnection: true,
  })
  expect(check({ tcpHealthCheck: {}, noTrafficInterval: '7s' })?.noTrafficHealthyIntervalMs).toBe(7000)
})

test('a check by HTTP', () => {
  expect(http({})?.probe).toMatchObject({ method: 'GET', expected: [[200, 201]], retriable: [], isHttp2: false })
  const probe = http({
    method: 'HEAD',
    codecClientType: 'HTTP2',
    expectedStatuses: [{ start: '200', end: '300' }],
    retriableStatuses: [{ start: '500', end: '600' }],
    receive: [{ text: '6f6B' }],
    requestHeadersToAdd: [{ header: { key: 'x-a', value: 'b' } }],
  })?.probe
  expect(probe).toMatchObject({
    method: 'HEAD',
    isHttp2: true,
    expected: [[200, 300]],
    retriable: [[500, 600]],
    receive: [Buffer.from('ok')],
    headers: [['x-a', 'b']],
  })
})

test('alike checks have the same key, others another', () => {
  expect(http({})?.key).toBe(http({})?.key)
  expect(http({})?.key).not.toBe(http({ path: '/other' })?.key)
})

test('a gRPC check needs a cluster that speaks HTTP/2', () => {
  expect(() => check({ grpcHealthCheck: {} })).toThrow(/health_checks\[0\].grpc_health_check/)
  expect(check({ grpcHealthCheck: { serviceName: 'a' } }, [], { http2ProtocolOptions: {} })?.probe).toMatchObject({
    kind: 'grpc',
    serviceName: 'a',
  })
})

test.each([
  ['health_checks[0].timeout', () => check({ tcpHealthCheck: {}, timeout: '0s' })],
  ['health_checks[0].unhealthy_threshold', () => check({ tcpHealthCheck: {}, unhealthyThreshold: null })],
  ['health_checks[0]: ', () => check({ customHealthCheck: { name: 'redis' } })],
  ['health_checks: ', () => check({ tcpHealthCheck: {} }, [{ ...BASE, tcpHealthCheck: {} }])],
  ['tcp_health_check.send', () => check({ tcpHealthCheck: { send: { text: 'xyz' } } })],
  ['tcp_health_check.proxy_protocol_config', () => check({ tcpHealthCheck: { proxyProtocolConfig: {} } })],
  ['http_health_check.path', () => http({ path: '' })],
  ['http_health_check.method', () => http({ method: 'CONNECT' })],
  ['expected_statuses[0]', () => http({ expectedStatuses: [{ start: '200', end: '200' }] })],
  ['codec_client_type', () => http({ codecClientType: 'HTTP3' })],
  ['request_headers_to_add[0]', () => http({ requestHeadersToAdd: [{ header: { key: 'a', value: '%PROTOCOL%' } }] })],
])('refused by name: %s', (field, compile) => {
  expect(compile).toThrow(field)
})
