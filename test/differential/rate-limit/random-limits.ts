import { type Random, randomInt } from '../../../lib/random.ts'

/** Limits and requests by chance. Nothing fills up again while a test runs. */

const NEVER = '3600s'
const VALUES = ['a', 'b', 'c']
const pick = <T>(random: Random, list: readonly T[]): T => list[randomInt(random, list.length)] as T
const some = <T>(random: Random, max: number, make: () => T): T[] =>
  Array.from({ length: 1 + randomInt(random, max) }, make)

const always = { default_value: { numerator: 100 } }
const bucket = (random: Random) => ({
  max_tokens: 1 + randomInt(random, 6),
  tokens_per_fill: 1 + randomInt(random, 2),
  fill_interval: NEVER,
})

/** An action, and what the entry that it makes may be. */
const ACTIONS: readonly (readonly [action: object, key: string, values: readonly string[]])[] = [
  [{ request_headers: { header_name: 'x-a', descriptor_key: 'a' } }, 'a', VALUES],
  [{ request_headers: { header_name: 'x-b', descriptor_key: 'b', skip_if_absent: true } }, 'b', VALUES],
  [{ request_headers: { header_name: ':path', descriptor_key: 'path' } }, 'path', ['/p', '/p?q=a', '/q']],
  [{ request_headers: { header_name: ':method', descriptor_key: 'method' } }, 'method', ['GET', 'POST']],
  [{ generic_key: { descriptor_value: 'g' } }, 'generic_key', ['g']],
  [{ generic_key: { descriptor_value: 'g', descriptor_key: 'k' } }, 'k', ['g', 'h']],
  [{ remote_address: {} }, 'remote_address', ['127.0.0.1', '10.0.0.1']],
  [{ masked_remote_address: { v4_prefix_mask_len: 8 } }, 'masked_remote_address', ['127.0.0.0/8']],
  [
    { header_value_match: { descriptor_value: 'm', headers: [{ name: 'x-a', string_match: { exact: 'a' } }] } },
    'header_match',
    ['m'],
  ],
  [
    {
      header_value_match: {
        descriptor_value: 'n',
        expect_match: false,
        headers: [{ name: 'x-a', present_match: true }],
      },
    },
    'header_match',
    ['n'],
  ],
  [
    {
      query_parameter_value_match: {
        descriptor_value: 'y',
        query_parameters: [{ name: 'q', string_match: { exact: 'a' } }],
      },
    },
    'query_match',
    ['y'],
  ],
  [{ query_parameters: { query_parameter_name: 'q', descriptor_key: 'q' } }, 'q', VALUES],
  [{ destination_cluster: {} }, 'destination_cluster', ['', 'x']],
  [{ source_cluster: {} }, 'source_cluster', ['', 'x']],
  ...(['request.method', 'request.url_path'] as const).map(
    (text) =>
      [
        {
          extension: {
            name: 'envoy.rate_limit_descriptors.expr',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor',
              descriptor_key: text,
              text,
            },
          },
        },
        text,
        ['GET', '/p'],
      ] as const,
  ),
]

/** A filter with its descriptors. Half of the time its actions stand with the route. */
export function randomFilters(random: Random, port: number): object[] {
  const lists = some(random, 3, () => some(random, 2, () => pick(random, ACTIONS)))
  const isOfRoute = random.next() < 0.5
  const seen = new Set<string>()
  const descriptors = lists
    .flatMap((list) =>
      some(random, 3, () => ({
        entries: list.map(([, key, values]) => ({ key, ...(random.next() < 0.7 && { value: pick(random, values) }) })),
        token_bucket: bucket(random),
        ...(random.next() < 0.1 && { shadow_mode: true }),
      })),
    )
    .filter(({ entries }) => {
      const text = JSON.stringify(entries.map((entry) => [entry.key, 'value' in entry ? entry.value : '']))
      return !seen.has(text) && seen.add(text)
    })
    // Of wildcards that overlap Envoy takes any, another in each process.
    .filter(({ entries }, i, all) => {
      const keys = (one: { entries: { key: string }[] }) => JSON.stringify(one.entries.map(({ key }) => key))
      // An empty value is a wildcard too.
      const isWild = (one: { entries: { value?: string }[] }) => one.entries.some(({ value = '' }) => value === '')
      return (
        !isWild({ entries }) || !all.slice(0, i).some((other) => isWild(other) && keys(other) === keys({ entries }))
      )
    })
  const rateLimits = lists.map((list) => ({ actions: list.map(([action]) => action) }))
  const config = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit',
    stat_prefix: 'random',
    filter_enabled: always,
    ...(random.next() < 0.8 && { filter_enforced: always }),
    ...(random.next() < 0.7 && { token_bucket: { ...bucket(random), max_tokens: 5 + randomInt(random, 20) } }),
    ...(random.next() < 0.5 && { always_consume_default_token_bucket: random.next() < 0.5 }),
    ...(random.next() < 0.3 && { status: { code: 'ServiceUnavailable' } }),
    ...(random.next() < 0.3 && { rate_limited_as_resource_exhausted: true }),
    ...(random.next() < 0.3 && { enable_retry_after_header: true }),
    ...(random.next() < 0.5 && {
      response_headers_to_add: [{ header: { key: 'x-limited', value: '%REQ(x-a)%!' } }],
    }),
    ...(random.next() < 0.5 && {
      request_headers_to_add_when_not_enforced: [{ header: { key: 'x-would-limit', value: 'yes' } }],
    }),
    enable_x_ratelimit_headers: random.next() < 0.8 ? 'DRAFT_VERSION_03' : 'OFF',
    descriptors,
    ...(!isOfRoute && { rate_limits: rateLimits }),
    ...(random.next() < 0.3 && { vh_rate_limits: pick(random, ['INCLUDE', 'IGNORE']) }),
  }
  const filter = {
    applyTo: 'HTTP_FILTER',
    match: { context: 'SIDECAR_INBOUND', listener: { portNumber: port } },
    patch: { operation: 'INSERT_FIRST', value: { name: 'envoy.filters.http.local_ratelimit', typed_config: config } },
  }
  if (!isOfRoute) return [filter]
  const isOfHost = random.next() < 0.4
  const limits = { rate_limits: rateLimits }
  return [
    filter,
    {
      applyTo: isOfHost ? 'VIRTUAL_HOST' : 'HTTP_ROUTE',
      match: { context: 'SIDECAR_INBOUND', routeConfiguration: { vhost: { name: `inbound|http|${port}` } } },
      patch: { operation: 'MERGE', value: isOfHost ? limits : { route: limits } },
    },
  ]
}

/** Limits of our own kind. */
export function randomRateLimit(random: Random, port: number): object[] {
  const keys = [
    { header: 'X-A' },
    { header: 'x-b' },
    { queryParameter: 'q' },
    { sourceIP: true },
    { peer: true },
    { path: true },
  ]
  return some(random, 2, () => ({
    requests: 1 + randomInt(random, 5),
    per: '1h',
    port,
    ...(random.next() < 0.3 && { burst: 1 + randomInt(random, 8) }),
    ...(random.next() < 0.7 && {
      by: some(random, 2, () => pick(random, keys)).filter((key, i, all) => all.indexOf(key) === i),
    }),
    ...(random.next() < 0.5 && {
      match: {
        paths: some(random, 2, () => pick(random, ['/p', '/p*', '/q', '/*'])),
        ...(random.next() < 0.3 && { methods: ['GET'] }),
        ...(random.next() < 0.3 && {
          headers: { 'x-a': pick(random, [{ exact: 'a' }, { prefix: 'b' }, { regex: '[ac]' }, {}]) },
        }),
      },
    }),
    ...(random.next() < 0.2 && { dryRun: true }),
  }))
}

export interface RandomRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export function randomRequest(random: Random): RandomRequest {
  return {
    method: pick(random, ['GET', 'GET', 'POST']),
    path: pick(random, ['/p', '/p?q=a', '/q', '/q?q=b', '/p?x=1&q=c', '/pq']),
    headers: {
      ...(random.next() < 0.6 && { 'x-a': pick(random, VALUES) }),
      ...(random.next() < 0.4 && { 'x-b': pick(random, VALUES) }),
      ...(random.next() < 0.1 && { 'content-type': 'application/grpc' }),
    },
  }
}
