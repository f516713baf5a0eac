import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { describe, expect, test } from '@jest/globals'
import { HTTPFaultSchema } from '../../../../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { connectionFacts } from '../../../decide/connection-facts.ts'
import { newDecision } from '../../../decide/decision.ts'
import { SYMBOLIC_SURROUNDINGS } from '../../../decide/surroundings.ts'
import { headOf } from '../../rbac/testing.ts'
import { fault } from './filter.ts'

const all = { numerator: 100 }

function judge(
  config: object,
  headers: Readonly<Record<string, string>> = {},
  { draw = 0.5, activeFaults = 0, cluster = 'c' } = {},
) {
  const compiled = fault.compile(anyPack(HTTPFaultSchema, fromJson(HTTPFaultSchema, config as JsonValue)), 'at')
  const choice = {
    cluster,
    weight: 1,
    hostRewrite: '',
    filterConfigs: new Map(),
    mutations: {} as never,
    criteria: undefined,
  }
  const decision = { ...newDecision(), choice }
  const isAnswered = fault.judge(
    compiled,
    {
      head: headOf({ headers: Object.entries(headers) }),
      facts: connectionFacts({}),
      random: { next: () => draw },
      randomValue: 0,
      wallMs: () => 0,
      around: { ...SYMBOLIC_SURROUNDINGS, activeFaults },
      addRequestId: () => {},
    },
    decision,
  )
  const { delayMs, status, grpcStatus, flag, counted } = decision
  return { isAnswered, delayMs, status, grpcStatus, flag, counted }
}

const delay = (fields: object = { fixed_delay: '2s' }, percentage: object | undefined = all) => ({
  delay: { ...fields, ...(percentage && { percentage }) },
})
const abort = (fields: object = { http_status: 503 }, percentage: object | undefined = all) => ({
  abort: { ...fields, ...(percentage && { percentage }) },
})
const GRPC = { 'content-type': 'application/grpc' }
const nothing = { isAnswered: false, delayMs: 0, status: 0, grpcStatus: undefined, flag: '', counted: [] }

test('delay and abort, alone and together', () => {
  expect(judge(delay())).toMatchObject({
    isAnswered: false,
    delayMs: 2000,
    flag: 'DI',
    counted: ['fault.delays_injected'],
  })
  expect(judge(abort())).toMatchObject({
    isAnswered: true,
    status: 503,
    flag: 'FI',
    counted: ['fault.aborts_injected'],
  })
  expect(judge(abort({ grpc_status: 5 }), GRPC)).toMatchObject({ isAnswered: true, status: 200, grpcStatus: 5 })
  expect(judge(abort({ grpc_status: 5 }))).toMatchObject({ isAnswered: true, status: 200, grpcStatus: undefined })
  expect(judge({ ...delay(), ...abort() })).toMatchObject({
    isAnswered: true,
    delayMs: 2000,
    counted: ['fault.delays_injected', 'fault.aborts_injected'],
  })
})

test('as many as the percentage says; without one none', () => {
  for (const [draw, isHit] of [
    [0.09, true],
    [0.11, false],
  ] as const) {
    expect(judge(delay(undefined, { numerator: 10 }), {}, { draw }).delayMs > 0).toBe(isHit)
    expect(judge(abort(undefined, { numerator: 1000, denominator: 'TEN_THOUSAND' }), {}, { draw }).isAnswered).toBe(
      isHit,
    )
  }
  expect(judge({ delay: { fixed_delay: '2s' } })).toEqual(nothing)
})

describe('by the request', () => {
  const byRequest = { ...delay({ header_delay: {} }), ...abort({ header_abort: {} }) }

  test('which says how long and what', () => {
    expect(judge(byRequest)).toEqual(nothing)
    expect(judge(byRequest, { 'x-envoy-fault-delay-request': '250' }).delayMs).toBe(250)
    expect(judge(byRequest, { 'x-envoy-fault-abort-request': '418' }).status).toBe(418)
    expect(judge(byRequest, { ...GRPC, 'x-envoy-fault-abort-grpc-request': '5' })).toMatchObject({
      status: 200,
      grpcStatus: 5,
    })
    const both = { 'x-envoy-fault-abort-request': '418', 'x-envoy-fault-abort-grpc-request': '5' }
    expect(judge(byRequest, both)).toMatchObject({ status: 418, grpcStatus: undefined })
  })

  test.each(['', 'x', '-1', '1.5', '99'])('an abort of %j is none', (text) => {
    expect(judge(byRequest, { 'x-envoy-fault-abort-request': text })).toEqual(nothing)
  })

  test('which may ask for less, and not for more', () => {
    const some = delay({ header_delay: {} }, { numerator: 50 })
    const ask = (percentage: string, draw: number) =>
      judge(
        some,
        { 'x-envoy-fault-delay-request': '1', 'x-envoy-fault-delay-request-percentage': percentage },
        { draw },
      ).delayMs > 0
    expect([ask('10', 0.09), ask('10', 0.11), ask('100', 0.49), ask('100', 0.51), ask('x', 0.49)]).toEqual([
      true,
      false,
      true,
      false,
      true,
    ])
  })
})

describe('only for', () => {
  test('calls with these headers', () => {
    const config = { ...abort(), headers: [{ name: 'x-user', string_match: { exact: 'a' } }] }
    expect(judge(config).isAnswered).toBe(false)
    expect(judge(config, { 'x-user': 'a' }).isAnswered).toBe(true)
  })

  test('calls to this cluster', () => {
    const config = { ...abort(), upstream_cluster: 'd' }
    expect(judge(config).isAnswered).toBe(false)
    expect(judge(config, {}, { cluster: 'd' }).isAnswered).toBe(true)
  })

  test('calls of these nodes', () => {
    const config = { ...abort(), downstream_nodes: ['n'] }
    expect(judge(config).isAnswered).toBe(false)
    expect(judge(config, { 'x-envoy-downstream-service-node': 'n' }).isAnswered).toBe(true)
  })
})

test('no more at once than may be', () => {
  const config = { ...delay(), max_active_faults: 2 }
  expect(judge(config, {}, { activeFaults: 1 }).delayMs).toBe(2000)
  expect(judge(config, {}, { activeFaults: 2 })).toEqual({ ...nothing, counted: ['fault.faults_overflow'] })
})

test.each([
  [{ response_rate_limit: { fixed_limit: { limit_kbps: 1 } } }, 'at.response_rate_limit'],
  [{ delay: {} }, 'at.delay'],
  [{ delay: { fixed_delay: '0s' } }, 'at.delay.fixed_delay'],
  [{ abort: {} }, 'at.abort'],
  [{ abort: { http_status: 600 } }, 'at.abort.http_status'],
])('%j is refused by name', (config, path) => {
  expect(() => judge(config)).toThrow(path)
})
