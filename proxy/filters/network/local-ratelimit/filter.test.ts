import { expect, test } from '@jest/globals'
import { ManualClock } from '../../../../lib/clock.ts'
import { connectionFacts } from '../../../decide/connection-facts.ts'
import { TokenTable, tokenMemory } from '../../../limits/token-table.ts'
import { listenerPlan, tcpChain, typed } from '../../../plan/testing.ts'
import { ConnectionJudgement } from '../judgement.ts'
import { letsConnect } from './filter.ts'

const config = (fields: object = {}) => ({
  stat_prefix: 's',
  token_bucket: { max_tokens: 2, tokens_per_fill: 1, fill_interval: '1s' },
  ...fields,
})
const typeOf = (kind: string) => `filters.${kind}.local_ratelimit.v3.LocalRateLimit`

function chainWith(fields: object = {}, name = 'l') {
  const { filters } = tcpChain('c') as { filters: object[] }
  const limit = { name: 'limit', typedConfig: typed(typeOf('network'), config(fields)) }
  return listenerPlan({ name, filterChains: [{ filters: [limit, ...filters] }] }).filterChains[0]!.authorization
}

function process() {
  const clock = new ManualClock()
  const tokens = new TokenTable(tokenMemory(1), false, () => clock.nowMs())
  const counted: string[] = []
  const passed = (filters: ReturnType<typeof chainWith>, times: number) =>
    Array.from(
      { length: times },
      () => new ConnectionJudgement(filters, connectionFacts({}), (name) => counted.push(name), undefined, tokens),
    ).filter(({ verdict }) => verdict !== 'deny').length
  return { clock, tokens, counted, passed }
}

test('as many connections as there are tokens', () => {
  const { clock, counted, passed } = process()
  const filters = chainWith()
  expect(passed(filters, 5)).toBe(2)
  expect(counted).toEqual(Array(3).fill('local_rate_limit.s.rate_limited'))
  clock.advance(1000)
  expect(passed(filters, 5)).toBe(1)
})

test('whoever has the same key shares a bucket', () => {
  const { passed } = process()
  expect(passed(chainWith({ share_key: 'k' }, 'a'), 5) + passed(chainWith({ share_key: 'k' }, 'b'), 5)).toBe(2)
  expect(passed(chainWith({}, 'a'), 5) + passed(chainWith({}, 'b'), 5)).toBe(4)
})

test('it can be switched off', () => {
  const off = { runtime_enabled: { default_value: false, runtime_key: 'x' } }
  expect(process().passed(chainWith(off), 5)).toBe(5)
})

test('explain takes no token, and names the bucket', () => {
  const trace: { candidate: string; matched: boolean; reason: string; origin: undefined }[] = []
  for (let i = 0; i < 3; i++) {
    const judgement = new ConnectionJudgement(chainWith(), connectionFacts({}), () => {}, trace as never)
    expect(judgement.verdict).toBe('none')
  }
  expect(trace[0]?.reason).toBe('a bucket of 2, with another token each 1000 ms')
})

test('the listener filter of that name', () => {
  const { tokens, counted } = process()
  const limit = { name: 'limit', typedConfig: typed(typeOf('listener'), config()) }
  const plan = listenerPlan({ filterChains: [tcpChain('c')], listenerFilters: [limit] })
  expect(plan.listenerFilters).toEqual([])
  const passed = [1, 2, 3].map(() => letsConnect(plan.rateLimits[0]!, tokens, (name) => counted.push(name)))
  expect(passed).toEqual([true, true, false])
  expect(counted).toEqual(['listener_local_ratelimit.s.rate_limited'])
})

test('refused by name', () => {
  expect(() => chainWith({ token_bucket: null })).toThrow('filters[0].typed_config.token_bucket')
})
