import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { expect, test } from '@jest/globals'
import { ExtAuthzSchema } from '../../../../../api/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import { ManualClock } from '../../../../../lib/clock.ts'
import type { Call } from '../../../../decide/call.ts'
import { connectionFacts } from '../../../../decide/connection-facts.ts'
import { newDecision } from '../../../../decide/decision.ts'
import type { Asker } from '../../../../decide/question.ts'
import { SYMBOLIC_SURROUNDINGS } from '../../../../decide/surroundings.ts'
import { headOf } from '../../../rbac/testing.ts'
import { compileExtAuthz, type ExtAuthzConfig } from '../config.ts'
import type { CheckResult } from '../result.ts'
import { CheckCache, MAX_ENTRIES, MAX_SHAPES } from './check-cache.ts'
import { KeptAsking } from './kept-asking.ts'

const TOLD = {}

function configOf(fields: object = {}): ExtAuthzConfig {
  const json = { grpc_service: { envoy_grpc: { cluster_name: 'authz' } }, ...fields } as JsonValue
  return compileExtAuthz(anyPack(ExtAuthzSchema, fromJson(ExtAuthzSchema, json)), 'at')
}

function callOf(path: string, headers: [string, string][] = []): Call {
  return {
    head: headOf({ path, headers }),
    facts: connectionFacts({ sourceAddress: '10.0.0.1' }),
    random: { next: () => 0 },
    randomValue: 0,
    wallMs: () => 0,
    around: SYMBOLIC_SURROUNDINGS,
    addRequestId: () => {},
  }
}

function answer(said: JsonObject | undefined, status = 403): CheckResult {
  const metadata = said === undefined ? undefined : { 'lateen.mesh/check': said }
  return { kind: 'denied', status, fields: [], body: Buffer.alloc(0), metadata }
}

const byPath = { validDurationMs: 1000, validUseCount: 10, present: ['request.path'], absent: [] }

function keeper(config = configOf()) {
  const clock = new ManualClock()
  const cache = new CheckCache(clock, config)
  const find = (call: Call, told: Readonly<Record<string, string>> = TOLD) => cache.find(call, newDecision(), told)
  const keep = (said: JsonObject | undefined, call: Call, told: Readonly<Record<string, string>> = TOLD) => {
    const decision = newDecision()
    cache.keep(answer(said), call, decision, told)
    return decision.counted
  }
  return { cache, clock, find, keep }
}

test('an answer holds until its time is over, for as many calls as it says, and for what is told the same', () => {
  const { clock, find, keep } = keeper()
  keep({ ...byPath, validUseCount: 3 }, callOf('/a'))
  expect([find(callOf('/b')), find(callOf('/a'), {})]).toEqual([undefined, undefined])
  expect([find(callOf('/a'))?.kind, find(callOf('/a'))?.kind, find(callOf('/a'))]).toEqual([
    'denied',
    'denied',
    undefined,
  ])
  keep(byPath, callOf('/a'))
  clock.advance(999)
  expect(find(callOf('/a'))).toBeDefined()
  clock.advance(1)
  expect(find(callOf('/a'))).toBeUndefined()
})

test.each([
  ['says nothing', undefined, []],
  ['names what is not known', { ...byPath, present: ['my.attribute'] }, ['ext_authz.cache_not_kept']],
  ['names what every call has of its own', { ...byPath, absent: ['request.id'] }, ['ext_authz.cache_not_kept']],
  ['names all headers', { ...byPath, present: ['request.headers'] }, ['ext_authz.cache_not_kept']],
  ['names the time', { ...byPath, present: ['context.time'] }, ['ext_authz.cache_not_kept']],
  ['names too much', { ...byPath, present: Array(65).fill('request.path') }, ['ext_authz.cache_not_kept']],
  ['has too long a key', { ...byPath, present: ['request.headers[x-long]'] }, ['ext_authz.cache_not_kept']],
  ['has no count', { validDurationMs: 5, present: [] }, ['ext_authz.cache_not_kept']],
  ['has names that are none', { ...byPath, present: [1] }, ['ext_authz.cache_not_kept']],
  ['holds for one call', { ...byPath, validUseCount: 1 }, []],
  ['holds for no time', { ...byPath, validDurationMs: 0 }, []],
] as const)('an answer is not kept that %s', (_name, said, counted) => {
  const { cache, keep } = keeper()
  const call = callOf('/a', [['x-long', 'a'.repeat(5_000)]])
  expect(keep(said as JsonObject | undefined, call)).toEqual(counted)
  expect(cache.size).toBe(0)
})

test('an attribute that is not known is as good as another where configuration tells it', () => {
  const { find, keep } = keeper()
  const told = { 'my.attribute': 'x' }
  keep({ ...byPath, present: ['my.attribute', 'request.path'] }, callOf('/a'), told)
  expect(find(callOf('/a'), told)).toBeDefined()
  expect(find(callOf('/a'))).toBeUndefined()
})

test('headers that the server is not shown make no difference', () => {
  const { find, keep } = keeper(configOf({ allowed_headers: { patterns: [{ exact: 'x-shown' }] } }))
  const names = { ...byPath, present: ['request.headers[x-shown]', 'request.headers[x-hidden]'] }
  keep(names, callOf('/', [['x-shown', 'a']]))
  const asked = (headers: [string, string][]) => find(callOf('/', headers)) !== undefined
  expect([
    asked([
      ['x-shown', 'a'],
      ['x-hidden', 'b'],
    ]),
    asked([['x-shown', 'b']]),
  ]).toEqual([true, false])
})

test('answers and sets of names are bounded, and what is in use stays', () => {
  const { cache, find, keep } = keeper()
  const evicted: string[] = []
  keep({ ...byPath, validUseCount: 1e9 }, callOf('/hot'))
  for (let i = 0; i < 2 * MAX_ENTRIES; i++) {
    evicted.push(...keep(byPath, callOf(`/${i}`)))
    if (i % 10 === 0) expect(find(callOf('/hot'))).toBeDefined()
  }
  expect([cache.size, evicted.length]).toEqual([MAX_ENTRIES, MAX_ENTRIES + 1])
  expect(evicted[0]).toBe('ext_authz.cache_evicted')
  for (let i = 0; i < 2 * MAX_SHAPES; i++) {
    keep({ ...byPath, present: [`request.headers[x-${i}]`] }, callOf('/', [[`x-${i}`, 'a']]))
    expect(find(callOf('/hot'))).toBeDefined()
  }
  expect(cache.shapes).toBe(MAX_SHAPES)
})

class Asked implements Asker {
  readonly call: Call
  readonly decision = newDecision()
  readonly context = undefined
  readonly bodyIsEnded = true
  said: unknown

  constructor(path: string) {
    this.call = callOf(path)
  }

  body() {
    return []
  }

  answer(value: unknown): void {
    this.said = value
  }
}

/** Questions of one cache, and how those are answered that were sent. */
function questions() {
  const { cache, keep } = keeper()
  // From now on it is known by what answers differ.
  keep(byPath, callOf('/known'))
  const sent: { answer: (result: CheckResult) => void; isCancelled: boolean }[] = []
  const ask = (path: string) => {
    const asker = new Asked(path)
    const asking = new KeptAsking(cache, asker, TOLD, (onResult) => {
      const one = { answer: onResult, isCancelled: false }
      sent.push(one)
      return {
        cancel() {
          one.isCancelled = true
        },
      }
    })
    return { asker, asking }
  }
  return { sent, ask }
}

test('calls that are alike wait for one question; others ask', () => {
  const { sent, ask } = questions()
  const [first, second, other] = [ask('/a'), ask('/a'), ask('/b')]
  expect(sent).toHaveLength(2)
  sent[0]?.answer(answer(byPath, 401))
  expect([first.asker.said, second.asker.said, other.asker.said]).toMatchObject([
    { status: 401 },
    { status: 401 },
    undefined,
  ])
  expect([first.asker.decision.counted, second.asker.decision.counted]).toEqual([
    ['ext_authz.cache_miss'],
    ['ext_authz.cache_hit'],
  ])
})

test.each([
  ['is not kept', answer(undefined)],
  ['is an error', { kind: 'error' } as const],
])('who waits for an answer that %s asks for itself, once', (_name, result) => {
  const { sent, ask } = questions()
  const [first, second] = [ask('/a'), ask('/a')]
  sent[0]?.answer(result)
  expect([first.asker.said, second.asker.said, sent.length]).toEqual([result, undefined, 2])
  sent[1]?.answer(result)
  expect(second.asker.said).toEqual(result)
})

test('a call that ends takes its question with it, and no other call', () => {
  const { sent, ask } = questions()
  const [first, second, third] = [ask('/a'), ask('/a'), ask('/a')]
  third.asking.cancel()
  first.asking.cancel()
  expect([sent[0]?.isCancelled, sent.length]).toEqual([true, 2])
  sent[1]?.answer(answer(byPath, 401))
  expect([first.asker.said, second.asker.said, third.asker.said]).toMatchObject([undefined, { status: 401 }, undefined])
})
