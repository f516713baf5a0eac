import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { describe, expect, test } from '@jest/globals'
import { RouteConfigurationSchema } from '../../../../api/gen/envoy/config/route/v3/route_pb.js'
import { LocalRateLimitSchema } from '../../../../api/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js'
import { REGISTRY } from '../../../../api/registry.ts'
import { ManualClock } from '../../../../lib/clock.ts'
import type { Call } from '../../../decide/call.ts'
import { connectionFacts } from '../../../decide/connection-facts.ts'
import { newDecision } from '../../../decide/decision.ts'
import { SYMBOLIC_SURROUNDINGS } from '../../../decide/surroundings.ts'
import type { Trace } from '../../../decide/trace.ts'
import { TokenTable, tokenMemory } from '../../../limits/token-table.ts'
import { compileRouteConfig } from '../../../plan/compile/route-config.ts'
import { headOf, type TestCall } from '../../rbac/testing.ts'
import type { LocalRateLimitConfig } from './config.ts'
import { localRateLimit } from './filter.ts'

const ALWAYS = {
  filter_enabled: { default_value: { numerator: 100 } },
  filter_enforced: { default_value: { numerator: 100 } },
}
const bucket = (max_tokens: number, fill_interval = '100s', tokens_per_fill = 1) => ({
  max_tokens,
  fill_interval,
  tokens_per_fill,
})
const byHeader = (name: string, key = name) => ({ request_headers: { header_name: name, descriptor_key: key } })

function compile(config: object): LocalRateLimitConfig {
  const json = { stat_prefix: 's', ...ALWAYS, ...config } as JsonValue
  return localRateLimit.compile(
    anyPack(LocalRateLimitSchema, fromJson(LocalRateLimitSchema, json, { registry: REGISTRY })),
    'at',
  )
}

/** A process with this filter; `routes` are those of the virtual host. */
function filterWith(config: object, virtualHost: object = {}) {
  const clock = new ManualClock()
  const tokens = new TokenTable(tokenMemory(7), false, () => clock.nowMs())
  const compiled = compile(config)
  const host = {
    name: 'v',
    domains: ['*'],
    routes: [{ match: { prefix: '/' }, route: { cluster: 'c' } }],
    ...virtualHost,
  }
  const json = { virtual_hosts: [host] } as JsonValue
  const [vhost] = compileRouteConfig(fromJson(RouteConfigurationSchema, json, { registry: REGISTRY })).virtualHosts
  const facts = connectionFacts({ sourceAddress: '10.1.2.3' })
  const ask = (call: TestCall = {}, around: Partial<Call['around']> = {}, trace?: Trace) => {
    const decision = { ...newDecision(), virtualHost: vhost, route: vhost?.routes[0], choice: undefined }
    const asked: Call = {
      head: headOf(call),
      facts,
      random: { next: () => 0.5 },
      randomValue: 0,
      wallMs: () => 0,
      around: { ...SYMBOLIC_SURROUNDINGS, tokens, ...around },
      addRequestId: () => {},
    }
    const isAnswered = localRateLimit.judge(compiled, asked, decision, undefined, compiled, trace)
    const headers = Object.fromEntries((decision.responseHeaders ?? []).map(({ name, value }) => [name, value]))
    return { isAnswered, decision, headers, head: asked.head }
  }
  const passed = (times: number, call?: TestCall) =>
    Array.from({ length: times }, () => ask(call)).filter((one) => !one.isAnswered).length
  return { clock, ask, passed }
}

const header = (name: string, value: string): TestCall => ({ headers: [[name, value]] }) as unknown as TestCall

test('as many pass as there are tokens; the others are told so', () => {
  const { ask, passed, clock } = filterWith({ token_bucket: bucket(3, '1s') })
  expect(ask().decision.counted).toEqual(['.s.http_local_rate_limit.enabled', '.s.http_local_rate_limit.ok'])
  expect(passed(5)).toBe(2)
  const { decision } = ask()
  expect([decision.status, decision.flag, decision.detail, decision.body?.toString()]).toEqual([
    429,
    'RL',
    'local_rate_limited',
    'local_rate_limited',
  ])
  expect(decision.counted.map((name) => name.split('.').at(-1))).toEqual(['enabled', 'rate_limited', 'enforced'])
  clock.advance(1000)
  expect(passed(5)).toBe(1)
})

test('not enabled: nothing is counted; not enforced: counted, and the request is told', () => {
  const off = filterWith({ token_bucket: bucket(1), filter_enabled: {} })
  expect(off.passed(9)).toBe(9)
  expect(off.ask().decision.counted).toEqual([])
  const added = [{ header: { key: 'x-local-rate-limit', value: 'true' } }]
  const dry = filterWith({
    token_bucket: bucket(1),
    filter_enforced: {},
    request_headers_to_add_when_not_enforced: added,
  })
  expect(dry.ask().head.get('x-local-rate-limit')).toBeUndefined()
  const { isAnswered, decision, head } = dry.ask()
  expect([isAnswered, head.get('x-local-rate-limit')]).toEqual([false, 'true'])
  expect(decision.counted.map((name) => name.split('.').at(-1))).toEqual(['enabled', 'rate_limited'])
})

test('another status, which may not be that of a success', () => {
  const statusOf = (code: string) => {
    const { ask } = filterWith({ token_bucket: bucket(1), status: { code }, enable_retry_after_header: true })
    ask()
    const { decision, headers } = ask()
    return [decision.status, headers['retry-after']]
  }
  expect(statusOf('ServiceUnavailable')).toEqual([503, undefined])
  expect(statusOf('OK')).toEqual([429, '100'])
})

test('what the answer says', () => {
  const { ask } = filterWith({
    token_bucket: bucket(1, '10s'),
    response_headers_to_add: [{ header: { key: 'X-Why', value: 'limit %PROTOCOL%' } }],
    enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
    enable_retry_after_header: true,
    rate_limited_as_resource_exhausted: true,
  })
  const limits = {
    'x-ratelimit-limit': '1',
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': '10',
    'ratelimit-policy': '"default";q=1;w=10',
    ratelimit: '"default";r=0;t=10',
  }
  expect(ask().headers).toEqual(limits)
  const { decision, headers } = ask()
  expect([decision.status, headers]).toEqual([429, { ...limits, 'retry-after': '10', 'x-why': 'limit HTTP/1.1' }])
  expect(ask(header('content-type', 'application/grpc')).decision.grpcStatus).toBe(8)
})

describe('descriptors', () => {
  const config = {
    token_bucket: bucket(10),
    rate_limits: [{ actions: [byHeader('x-user')] }, { actions: [{ remote_address: {} }] }],
    descriptors: [
      { entries: [{ key: 'x-user', value: 'a' }], token_bucket: bucket(2) },
      { entries: [{ key: 'x-user' }], token_bucket: bucket(3) },
    ],
  }

  test('a value of its own, any other value, and none', () => {
    const { passed } = filterWith(config)
    expect(passed(5, header('x-user', 'a'))).toBe(2)
    expect(passed(5, header('x-user', 'b'))).toBe(3)
    expect(passed(5, header('x-user', 'c'))).toBe(3)
    // The default bucket is asked of all that the descriptors let pass.
    expect(passed(5)).toBe(2)
    expect(passed(5, header('x-user', 'd'))).toBe(0)
  })

  test('the default bucket is for others only', () => {
    const { passed } = filterWith({ ...config, always_consume_default_token_bucket: false })
    expect(passed(5, header('x-user', 'a'))).toBe(2)
    expect(passed(20)).toBe(10)
  })

  test('the slowest to fill is asked first, and takes nothing from those after it', () => {
    const { passed } = filterWith({
      rate_limits: [{ actions: [byHeader('x-a', 'a')] }, { actions: [byHeader('x-b', 'b')] }],
      descriptors: [
        { entries: [{ key: 'a', value: '1' }], token_bucket: bucket(4, '1s') },
        { entries: [{ key: 'b', value: '1' }], token_bucket: bucket(2, '100s') },
      ],
    })
    const both = {
      headers: [
        ['x-a', '1'],
        ['x-b', '1'],
      ],
    } as unknown as TestCall
    expect(passed(9, both)).toBe(2)
    expect(passed(9, header('x-a', '1'))).toBe(2)
  })

  test('of those that fill alike the first asked comes first, and the answer tells of it until another refuses', () => {
    const { ask } = filterWith({
      enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
      rate_limits: ['a', 'b'].map((key) => ({ actions: [{ generic_key: { descriptor_value: key } }] })),
      descriptors: [
        { entries: [{ key: 'generic_key', value: 'b' }], token_bucket: bucket(1, '100s') },
        { entries: [{ key: 'generic_key', value: 'a' }], token_bucket: bucket(3, '200s', 2) },
      ],
    })
    const told = [1, 2, 3, 4].map(() => {
      const { headers } = ask()
      return `${headers['x-ratelimit-remaining']} of ${headers['x-ratelimit-limit']}`
    })
    // A call that the second refuses has spent a token of the first.
    expect(told).toEqual(['2 of 3', '0 of 1', '0 of 1', '0 of 3'])
  })

  test.each([1, 2])(
    'of wildcards that a call is under the first that is written counts, an empty value being one',
    (first) => {
      const wild = [
        {
          entries: [
            { key: 'a', value: '1' },
            { key: 'b', value: '' },
          ],
          token_bucket: bucket(1),
        },
        { entries: [{ key: 'a' }, { key: 'b' }], token_bucket: bucket(2) },
      ]
      const { passed } = filterWith({
        rate_limits: [{ actions: [byHeader('a'), byHeader('b')] }],
        descriptors: first === 1 ? wild : wild.reverse(),
      })
      const call = {
        headers: [
          ['a', '1'],
          ['b', '1'],
        ],
      } as unknown as TestCall
      expect(passed(5, call)).toBe(first)
    },
  )

  test('entries are compared in number and order', () => {
    const entries = [
      { key: 'a', value: '1' },
      { key: 'b', value: '2' },
    ]
    const make = (actions: object[]) =>
      filterWith({ rate_limits: [{ actions }], descriptors: [{ entries, token_bucket: bucket(1) }] })
    const call = {
      headers: [
        ['a', '1'],
        ['b', '2'],
      ],
    } as unknown as TestCall
    expect(make([byHeader('a'), byHeader('b')]).passed(5, call)).toBe(1)
    expect(make([byHeader('b'), byHeader('a')]).passed(5, call)).toBe(5)
    expect(make([byHeader('a')]).passed(5, call)).toBe(5)
  })

  test('those of the route, else those of the virtual host', () => {
    const limited = (key: string) => ({ rate_limits: [{ actions: [{ generic_key: { descriptor_value: key } }] }] })
    const route = (fields: object) => ({ match: { prefix: '/' }, route: { cluster: 'c', ...fields } })
    const descriptors = ['r', 'v'].map((value) => ({
      entries: [{ key: 'generic_key', value }],
      token_bucket: bucket(value === 'r' ? 2 : 1),
    }))
    const passed = (filter: object, host: object) => filterWith({ descriptors, ...filter }, host).passed(5)
    expect(passed({}, { ...limited('v'), routes: [route({})] })).toBe(1)
    expect(passed({}, { ...limited('v'), routes: [route(limited('r'))] })).toBe(2)
    expect(passed({ vh_rate_limits: 'INCLUDE' }, { ...limited('v'), routes: [route(limited('r'))] })).toBe(1)
    expect(passed({ vh_rate_limits: 'IGNORE' }, { ...limited('v'), routes: [route({})] })).toBe(5)
    expect(passed({ stage: 1 }, { ...limited('v'), routes: [route({})] })).toBe(5)
  })

  test.each([
    ['generic_key', { generic_key: { descriptor_value: 'x' } }, 'generic_key', 'x'],
    ['remote_address', { remote_address: {} }, 'remote_address', '10.1.2.3'],
    [
      'masked_remote_address',
      { masked_remote_address: { v4_prefix_mask_len: 16 } },
      'masked_remote_address',
      '10.1.0.0/16',
    ],
    [
      'header_value_match',
      { header_value_match: { descriptor_value: 'y', headers: [{ name: ':path', string_match: { prefix: '/p' } }] } },
      'header_match',
      'y',
    ],
    [
      'query_parameter_value_match',
      { query_parameter_value_match: { descriptor_value: 'y', query_parameters: [{ name: 'q' }] } },
      'query_match',
      'y',
    ],
    ['query_parameters', { query_parameters: { query_parameter_name: 'q', descriptor_key: 'k' } }, 'k', '1'],
    ['path', { request_headers: { header_name: ':path', descriptor_key: 'path' } }, 'path', '/p?q=1'],
    ['source_cluster', { source_cluster: {} }, 'source_cluster', 'ours'],
    [
      'expression',
      {
        extension: {
          name: 'e',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor',
            descriptor_key: 'p',
            text: 'request.url_path',
          },
        },
      },
      'p',
      '/p',
    ],
  ])('action %s', (_, action, key, value) => {
    const { ask } = filterWith({
      rate_limits: [{ actions: [action] }],
      descriptors: [{ entries: [{ key, value }], token_bucket: bucket(1) }],
    })
    const answers = [1, 2].map(() => ask({ path: '/p?q=1' }, { localCluster: 'ours' }).isAnswered)
    expect(answers).toEqual([false, true])
  })

  test('in shadow mode one is only counted', () => {
    const { ask, passed } = filterWith({
      rate_limits: [{ actions: [byHeader('a')] }],
      descriptors: [{ entries: [{ key: 'a' }], token_bucket: bucket(1), shadow_mode: true }],
    })
    expect(passed(5, header('a', '1'))).toBe(5)
    expect(ask(header('a', '1')).decision.counted.map((name) => name.split('.').at(-1))).toEqual([
      'enabled',
      'rate_limited',
      'shadow_mode',
    ])
  })
})

test('explain: which limits a call is under, and no token is taken', () => {
  const { ask, passed } = filterWith({
    token_bucket: bucket(1, '10s'),
    rate_limits: [{ actions: [byHeader('a')] }],
    descriptors: [{ entries: [{ key: 'a' }], token_bucket: bucket(2) }],
  })
  const trace: Trace = []
  for (let i = 0; i < 3; i++) ask(header('a', '1'), SYMBOLIC_SURROUNDINGS, i === 0 ? trace : undefined)
  expect(trace.map(({ candidate, matched, reason }) => [candidate, matched, reason])).toEqual([
    ['rate limit s a=*', true, 'a bucket of 2, with another token each 100000 ms for 1'],
    ['rate limit s of all', true, 'a bucket of 1, with another token each 10000 ms'],
  ])
  expect(passed(3, header('a', '1'))).toBe(1)
})

test('explain names the object that a limit is written in', () => {
  const origin = { kind: 'RateLimit', namespace: 'a', name: 'b', file: 'c.yaml', line: 3 }
  const json = { stat_prefix: 's', ...ALWAYS, token_bucket: bucket(1) } as JsonValue
  const any = anyPack(LocalRateLimitSchema, fromJson(LocalRateLimitSchema, json))
  expect(localRateLimit.compile(any, 'at', new Map([['s', origin]])).origin).toEqual(origin)
})

describe('refused by name', () => {
  test.each([
    [{ stat_prefix: '' }, 'at.stat_prefix'],
    [{ token_bucket: bucket(0) }, 'at.token_bucket.max_tokens'],
    [{ token_bucket: bucket(1, '0.049s') }, 'at.token_bucket.fill_interval'],
    [{ local_cluster_rate_limit: {} }, 'at.local_cluster_rate_limit'],
    [{ descriptors: [{ entries: [], token_bucket: bucket(1) }] }, 'at.descriptors[0].entries'],
    [{ descriptors: [{ entries: [{ key: 'a' }] }] }, 'at.descriptors[0].token_bucket'],
    [{ descriptors: [1, 2].map(() => ({ entries: [{ key: 'a' }], token_bucket: bucket(1) })) }, 'at.descriptors[1]'],
    [
      { rate_limits: [{ actions: [{ metadata: { source: 'ROUTE_ENTRY' } }] }] },
      'at.rate_limits[0].actions[0].metadata.source',
    ],
    [{ max_dynamic_descriptors: 0 }, 'at.max_dynamic_descriptors'],
  ])('%j', (config, path) => {
    expect(() => compile(config)).toThrow(path)
  })
})
