import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { expect, test } from '@jest/globals'
import {
  RateLimitPerRouteSchema,
  RateLimitSchema,
} from '../../../../api/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.js'
import { compileRateLimit, compileRateLimitRoute } from './config.ts'

const service = { grpc_service: { envoy_grpc: { cluster_name: 'limits' } }, transport_api_version: 'V3' }

function compile(fields: object) {
  const json = { domain: 'd', rate_limit_service: service, ...fields } as JsonValue
  return compileRateLimit(anyPack(RateLimitSchema, fromJson(RateLimitSchema, json)), 'at')
}

test('what is not said is as in Envoy', () => {
  expect(compile({})).toMatchObject({
    service: { cluster: 'limits', timeoutMs: 20 },
    stage: 0,
    requestType: 'both',
    failureModeDeny: false,
    statusOnError: 500,
    status: 429,
    grpcStatus: 14,
    writesLimitHeaders: false,
    saysRateLimited: true,
  })
  expect(compile({ stat_prefix: 'p' }).countersOf('a b').ok).toBe('@a b ratelimit.p.ok')
})

test.each([
  ['domain', { domain: '' }],
  ['stage', { stage: 11 }],
  ['request_type', { request_type: 'some' }],
  ['rate_limit_service.grpc_service', { rate_limit_service: { transport_api_version: 'V3' } }],
  ['rate_limit_service.transport_api_version', { rate_limit_service: { ...service, transport_api_version: 'V2' } }],
  ['response_headers_to_add', { response_headers_to_add: Array(11).fill({ header: { key: 'a', value: 'b' } }) }],
])('%s is refused by its path', (field, fields) => {
  expect(() => compile(fields)).toThrow(`at.${field}`)
})

test('fields that are newer than the filter are refused, and so are limits of a route within its settings', () => {
  const any = anyPack(RateLimitSchema, fromJson(RateLimitSchema, { domain: 'd', rate_limit_service: service }))
  // Field 100, a varint.
  any.value = Buffer.concat([any.value, Buffer.from([0xa0, 0x06, 0x01])])
  expect(() => compileRateLimit(any, 'at')).toThrow('not supported')
  const route = (fields: object) =>
    compileRateLimitRoute(
      anyPack(RateLimitPerRouteSchema, fromJson(RateLimitPerRouteSchema, fields as JsonValue)),
      'at',
    )
  expect(route({ vh_rate_limits: 'INCLUDE', domain: 'x' })).toEqual({ virtualHostLimits: 'include', domain: 'x' })
  expect(() => route({ rate_limits: [{ stage: 1, actions: [{ remote_address: {} }] }] })).toThrow('at.rate_limits')
  expect(() => route({ override_option: 'IGNORE_POLICY' })).toThrow('at.override_option')
})
