import { describe, expect, test } from '@jest/globals'
import { problemsOf } from '../testing.ts'

const TYPE = 'type.googleapis.com/envoy.extensions.filters'
const BUCKET = { max_tokens: 1, tokens_per_fill: 1, fill_interval: '1s' }
const limit = (fields: object = {}, kind = 'http') => ({
  name: 'l',
  typed_config: { '@type': `${TYPE}.${kind}.local_ratelimit.v3.LocalRateLimit`, stat_prefix: 's', ...fields },
})
const insert = (value: object, match: object = {}, applyTo = 'HTTP_FILTER', operation = 'INSERT_BEFORE') => ({
  applyTo,
  match: { context: 'SIDECAR_INBOUND', ...match },
  patch: { operation, value },
})
const merge = (value: object, applyTo = 'HTTP_ROUTE', match: object = {}) => insert(value, match, applyTo, 'MERGE')

function codes(...configPatches: object[]): [string, string][] {
  const object = {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name: 'x' },
    spec: { configPatches },
  }
  return problemsOf(JSON.stringify(object)).map(([code, , message]) => [code, message])
}

describe('taken', () => {
  const chain = (filter: object) => ({ listener: { portNumber: 80, name: 'l', filterChain: { filter } } })
  const actions = [{ generic_key: { descriptor_value: 'x' } }]
  test.each([
    ['an HTTP filter', insert(limit({ token_bucket: BUCKET }))],
    [
      'before another',
      insert(limit(), chain({ name: 'envoy.filters.network.http_connection_manager', subFilter: { name: 'x' } })),
    ],
    ['first', insert(limit(), {}, 'HTTP_FILTER', 'INSERT_FIRST')],
    [
      'a network filter',
      insert(
        limit({ token_bucket: BUCKET }, 'network'),
        chain({ name: 'envoy.filters.network.tcp_proxy' }),
        'NETWORK_FILTER',
      ),
    ],
    [
      'limits of a virtual host',
      merge({ rate_limits: [{ actions }] }, 'VIRTUAL_HOST', { routeConfiguration: { vhost: { name: 'v' } } }),
    ],
    ['limits of a route', merge({ route: { rate_limits: [{ actions }] } })],
    [
      'a configuration of a route',
      merge({ typed_per_filter_config: { l: limit({ token_bucket: BUCKET }).typed_config } }),
    ],
  ])('%s', (_, patch) => {
    expect(codes(patch)).toEqual([])
  })
})

describe('named, and nothing more', () => {
  test.each([
    ['another filter', insert({ name: 'lua', typed_config: { '@type': `${TYPE}.http.lua.v3.Lua` } }), 'patch.value'],
    ['another place', insert(limit(), {}, 'HTTP_FILTER', 'ADD'), 'patch.operation'],
    ['another kind', insert({}, {}, 'CLUSTER'), 'applyTo'],
    ['a match that is not understood', insert(limit(), { proxy: { proxyVersion: '^1' } }), 'match.proxy'],
    [
      'a chain by its name',
      insert(limit(), { listener: { filterChain: { sni: 'a' } } }),
      'match.listener.filterChain.sni',
    ],
    ['another field of a route', merge({ route: { timeout: '1s' } }), 'patch.value.route.timeout'],
    [
      'another configuration of a route',
      merge({ typed_per_filter_config: { x: { '@type': `${TYPE}.http.cors.v3.CorsPolicy` } } }),
      'patch.value.typed_per_filter_config.x',
    ],
    ['nothing to add', merge({}), 'patch.value'],
  ])('%s', (_, patch, field) => {
    const [[code, message]] = codes(patch, insert(limit({ token_bucket: BUCKET }))) as [[string, string]]
    expect(code).toBe('LTN0301')
    expect(message).toMatch(new RegExp(`^spec\\.configPatches\\[0\\]\\.${field}`))
  })
})

describe('refused', () => {
  test.each([
    ['an unknown field', insert(limit({ tokens: 1 })), 'tokens'],
    ['too often', insert(limit({ token_bucket: { ...BUCKET, fill_interval: '0.01s' } })), 'fill_interval'],
    ['no tokens', insert(limit({ token_bucket: { ...BUCKET, max_tokens: 0 } })), 'max_tokens'],
    ['no prefix', insert(limit({ stat_prefix: '' })), 'stat_prefix'],
    [
      'a descriptor without a bucket',
      insert(limit({ descriptors: [{ entries: [{ key: 'a' }] }] })),
      'descriptors\\[0\\]',
    ],
    ['no actions', merge({ route: { rate_limits: [{}] } }), 'actions'],
    ['no value', { applyTo: 'HTTP_FILTER', patch: { operation: 'INSERT_FIRST' } }, 'patch.value'],
  ])('%s', (_, patch, said) => {
    const [[code, message]] = codes(patch) as [[string, string]]
    expect(code).toBe('IST0106')
    expect(message).toMatch(new RegExp(said))
  })
})
