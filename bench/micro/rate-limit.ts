import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { LocalRateLimitSchema } from '../../api/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js'
import { REGISTRY } from '../../api/registry.ts'
import { machineMs } from '../../lib/clock.ts'
import { connectionFacts } from '../../proxy/decide/connection-facts.ts'
import { newDecision, resetDecision } from '../../proxy/decide/decision.ts'
import { SYMBOLIC_SURROUNDINGS } from '../../proxy/decide/surroundings.ts'
import { localRateLimit } from '../../proxy/filters/http/local-ratelimit/filter.ts'
import { parseRequestHead } from '../../proxy/http1/request-parser.ts'
import { TokenTable, tokenMemory } from '../../proxy/limits/token-table.ts'
import { RequestHead } from '../../proxy/stream/message.ts'

/*
 * What one judgement of the local rate limit filter costs, in nanoseconds: median of rounds, the fastest and the slowest.
 *
 *   npm run build && node dist/bench/micro/rate-limit.js
 */

const ROUNDS = 9
const CALLS = 500_000

const always = { default_value: { numerator: 100 } }
const bucket = (max_tokens: number) => ({ max_tokens, tokens_per_fill: max_tokens, fill_interval: '1s' })
const byUser = {
  rate_limits: [{ actions: [{ request_headers: { header_name: 'x-user', descriptor_key: 'user' } }] }],
  max_dynamic_descriptors: 1000,
}
const wildcard = { ...byUser, descriptors: [{ entries: [{ key: 'user' }], token_bucket: bucket(4_000_000_000) }] }
const CASES: readonly (readonly [name: string, isShared: boolean, users: number, config: object])[] = [
  ['one bucket, one thread', false, 1, { token_bucket: bucket(4_000_000_000) }],
  ['one bucket, shared', true, 1, { token_bucket: bucket(4_000_000_000) }],
  ['one bucket, shared, empty', true, 1, { token_bucket: bucket(1) }],
  [
    'one bucket, shared, with limit headers',
    true,
    1,
    { token_bucket: bucket(4_000_000_000), enable_x_ratelimit_headers: 'DRAFT_VERSION_03' },
  ],
  ['a bucket each for 1 caller, shared', true, 1, wildcard],
  ['a bucket each for 500 callers, shared', true, 500, wildcard],
]

for (const [name, isShared, users, fields] of CASES) {
  const json = { stat_prefix: 'b', filter_enabled: always, filter_enforced: always, ...fields } as JsonValue
  const any = anyPack(LocalRateLimitSchema, fromJson(LocalRateLimitSchema, json, { registry: REGISTRY }))
  const config = localRateLimit.compile(any, 'bench')
  const tokens = new TokenTable(tokenMemory(1), isShared, machineMs)
  const calls = Array.from({ length: users }, (_, i) => callOf(`user-${i}`, tokens))
  const decision = newDecision()
  const costs: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const startMs = performance.now()
    for (let i = 0; i < CALLS; i++) {
      localRateLimit.judge(config, calls[i % users] as (typeof calls)[number], decision, undefined, config)
      resetDecision(decision)
    }
    // The first is there to warm up.
    if (round > 0) costs.push(((performance.now() - startMs) * 1e6) / CALLS)
  }
  costs.sort((a, b) => a - b)
  const [low, median, high] = [costs[0], costs[Math.floor(ROUNDS / 2)], costs.at(-1)] as [number, number, number]
  process.stdout.write(`${name.padEnd(42)}${median.toFixed(0)} ns (${low.toFixed(0)}..${high.toFixed(0)})\n`)
}

function callOf(user: string, tokens: TokenTable) {
  const head = new RequestHead()
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: h\r\nX-User: ${user}\r\n\r\n`, 'latin1')
  parseRequestHead(bytes, 0, bytes.length - 4, head)
  return {
    head,
    facts: connectionFacts({}),
    random: { next: () => 0 },
    randomValue: 0,
    wallMs: () => 0,
    around: { ...SYMBOLIC_SURROUNDINGS, tokens },
    addRequestId: () => {},
  }
}
