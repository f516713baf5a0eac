import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { RetryPolicySchema } from '../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { REGISTRY } from '../../api/registry.ts'
import { HeldClock, ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { seededRandom } from '../../lib/random.ts'
import { TimerWheel } from '../../lib/timer-wheel.ts'
import { type Decision, newDecision } from '../decide/decision.ts'
import { compileRetry } from '../plan/compile/retry.ts'
import type { VirtualHostPlan } from '../plan/plan.ts'
import { clusterPlan, typed } from '../plan/testing.ts'
import type { Attempt } from '../upstream/attempt.ts'
import { ownBreakerTable } from '../upstream/breaker-counts.ts'
import { Cluster } from '../upstream/cluster.ts'
import type { Host } from '../upstream/host.ts'
import type { UpstreamStream } from '../upstream/upstream-stream.ts'
import { BugReporter } from './bugs.ts'
import type { StreamContext } from './context.ts'
import type { Downstream } from './downstream.ts'
import { RequestHead, ResponseHead } from './message.ts'
import { OutBuffer } from './out-buffer.ts'
import { RequestBuffer } from './request-buffer.ts'
import { Tries } from './tries.ts'
import type { UpstreamTry } from './upstream-try.ts'

/** One try as the test sees it: it says what the host does. */
class HostSide {
  readonly attempt: Attempt
  readonly host: Host
  readonly expectedMs: string | undefined
  isAbandoned = false

  constructor(attempt: Attempt, host: Host, head: RequestHead) {
    this.attempt = attempt
    this.host = host
    this.expectedMs = head.get('x-envoy-expected-rq-timeout-ms')
  }

  connect(): this {
    const stream = { isReused: false, hasReceived: false, isWritable: true } as Partial<UpstreamStream>
    const ignore = () => true
    const abandon = () => {
      this.isAbandoned = true
    }
    this.attempt.onStream(
      Object.assign(stream, { writeHead: ignore, writeData: ignore, endRequest: ignore, abandon }) as UpstreamStream,
    )
    return this
  }

  answer(status: number, fields: Record<string, string> = {}): void {
    const head = new ResponseHead()
    head.status = status
    for (const [name, value] of Object.entries(fields)) head.append(name, value)
    this.attempt.onResponseHead(head)
  }
}

interface Options {
  policy?: object
  decision?: Partial<Decision>
  caller?: Partial<Decision['caller']>
  thresholds?: object
  elapsedMs?: () => number
  /** Of its hosts. */
  priorities?: readonly number[]
}

/** A request without content at a cluster of two hosts, unless `priorities` say otherwise, which takes turns. */
function setUp(options: Options) {
  const { policy, decision: fields, caller, thresholds = { maxRetries: 100 }, elapsedMs, priorities = [0, 0] } = options
  const clock = new ManualClock(1_000_000_000_000)
  const metrics = new MetricStore()
  const wheel = new TimerWheel(clock)
  const bugs = new BugReporter(metrics, silentLogger)
  const random = seededRandom(1)
  const endpoints = priorities.map((priority, i) => {
    const address = { socketAddress: { address: '127.0.0.1', portValue: i + 1 } }
    return { priority, lbEndpoints: [{ endpoint: { address } }] }
  })
  const plan = clusterPlan({
    circuitBreakers: { thresholds: [thresholds] },
    loadAssignment: { clusterName: 'c', endpoints },
  })
  const upstream = {
    clock: new HeldClock(clock),
    wheel,
    out: new OutBuffer(),
    bugs,
    random,
    metrics,
    breakers: ownBreakerTable,
  }
  const cluster = new Cluster(plan, upstream)
  cluster.setEndpointsOnce(plan.endpoints)
  const head = new RequestHead()
  head.method = 'POST'
  const sides: HostSide[] = []
  cluster.send = (host, attempt) => sides.push(new HostSide(attempt, host, head))
  cluster.cancel = () => {}
  const decision = newDecision()
  if (policy !== undefined) {
    const proto = fromJson(RetryPolicySchema, policy as JsonValue, { registry: REGISTRY })
    decision.retry = compileRetry(proto, 'retry_policy')
    decision.perTryTimeoutMs = decision.retry.perTryTimeoutMs
  }
  Object.assign(decision, fields)
  Object.assign(decision.caller, caller)
  const buffer = new RequestBuffer()
  buffer.isEnded = true
  const told: string[] = []
  const startMs = clock.nowMs()
  const request = {
    head,
    facts: {} as never,
    decision,
    buffer,
    downstream: {} as Downstream,
    get elapsedMs() {
      return elapsedMs?.() ?? clock.nowMs() - startMs
    },
    onTryStarted: () => {},
    onTrySent: () => {},
    onAnswerHead: (_attempt: unknown, answered: ResponseHead) => told.push(String(answered.status)),
    onAnswerData: () => {},
    onAnswerTrailers: () => {},
    onAnswerPause: () => {},
    onAnswerEnd: () => {},
    onAnswerBroken: () => told.push('broken'),
    onUnanswered: (status: number, detail: string, flag: string) => told.push(`${status} ${detail} ${flag}`),
  }
  const context = { clock, random, wheel, bugs, metrics } as unknown as StreamContext
  const tries = new Tries(context, request)
  tries.begin(cluster)
  const side = (i: number) => sides[i] as HostSide
  const stat = (name: keyof Cluster['stats']) => (cluster.stats[name] as { value: number }).value
  return { clock, cluster, tries, sides, side, told, decision, stat, head }
}

const ON_5XX = { retryOn: '5xx', numRetries: 3 }

test('without a policy there is one try, and its answer counts', () => {
  const { side, told, sides, clock } = setUp({})
  side(0).connect().answer(503)
  clock.advance(1000)
  expect([sides.length, told]).toEqual([1, ['503']])
})

test('the back-off is drawn from an interval that doubles up to ten times the first', () => {
  const { sides, side, told, clock, decision, stat } = setUp({ policy: { ...ON_5XX, numRetries: 6 } })
  // Upper bounds, exclusive; a wheel is up to one tick of 10 ms late.
  for (const boundMs of [25, 50, 100, 200, 250, 250]) {
    const before = sides.length
    side(before - 1)
      .connect()
      .answer(503)
    expect(sides.length).toBe(before)
    clock.advance(boundMs + 10)
    expect(sides.length).toBe(before + 1)
  }
  side(6).connect().answer(503)
  clock.advance(1000)
  expect([sides.length, told, decision.retryFlag]).toEqual([7, ['503'], 'URX'])
  expect([stat('upstream_rq_retry'), stat('upstream_rq_retry_limit_exceeded')]).toEqual([6, 1])
  expect(stat('upstream_rq_retry_backoff_exponential')).toBe(6)
})

test('a rate-limited answer says when to come back', () => {
  const rateLimitedRetryBackOff = {
    resetHeaders: [{ name: 'X-Reset', format: 'UNIX_TIMESTAMP' }, { name: 'Retry-After' }],
  }
  const { sides, side, clock, stat } = setUp({ policy: { ...ON_5XX, rateLimitedRetryBackOff } })
  side(0).connect().answer(503, { 'x-reset': '999', 'retry-after': '2' })
  clock.advance(1_999)
  expect(sides.length).toBe(1)
  clock.advance(1_010)
  expect(sides.length).toBe(2)
  side(1)
    .connect()
    .answer(503, { 'x-reset': String(Math.floor(clock.wallMs() / 1000) + 10) })
  clock.advance(8_900)
  expect(sides.length).toBe(2)
  clock.advance(6_200)
  expect(sides.length).toBe(3)
  // Too long: as if nothing had been said.
  side(2).connect().answer(503, { 'retry-after': '301' })
  clock.advance(260)
  expect(sides.length).toBe(4)
  expect([stat('upstream_rq_retry_backoff_ratelimited'), stat('upstream_rq_retry_backoff_exponential')]).toEqual([2, 1])
})

test('a try has its time from when the request is with the host', () => {
  const { sides, side, told, clock, stat, decision } = setUp({
    policy: { ...ON_5XX, numRetries: 1, perTryTimeout: '0.1s' },
    decision: { timeoutMs: 1000 },
  })
  clock.advance(500)
  expect(told).toEqual([])
  side(0).connect()
  clock.advance(120)
  expect([side(0).isAbandoned, stat('upstream_rq_per_try_timeout')]).toEqual([true, 1])
  clock.advance(35)
  expect(sides.length).toBe(2)
  side(1).connect()
  clock.advance(120)
  expect(told).toEqual(['504 upstream_per_try_timeout UT'])
  expect(decision.retryFlag).toBe('URX')
})

test('a try on which nothing passes for long is over too', () => {
  const { sides, side, told, clock, stat } = setUp({ policy: { ...ON_5XX, perTryIdleTimeout: '0.1s' } })
  side(0).connect()
  clock.advance(150)
  expect([side(0).isAbandoned, sides.length, stat('upstream_rq_per_try_idle_timeout')]).toEqual([true, 2, 1])
  side(1).connect().answer(200)
  for (let i = 0; i < 5; i++) {
    clock.advance(80)
    side(1).attempt.onResponseData(Buffer.from('x'), true)
  }
  expect(told).toEqual(['200'])
  clock.advance(120)
  expect(told).toEqual(['200', 'broken'])
})

test('the host is told how long it is waited for: the try, and what is left of the whole', () => {
  const { side, clock } = setUp({
    policy: { ...ON_5XX, perTryTimeout: '0.3s', retryBackOff: { baseInterval: '0.001s' } },
    decision: { timeoutMs: 500 },
  })
  side(0).connect()
  clock.advance(320)
  side(1).connect()
  const left = Number(side(1).expectedMs)
  expect(left).toBeGreaterThan(160)
  expect(left).toBeLessThanOrEqual(200)
})

test('a retry goes to another host where the policy says so', () => {
  const retryHostPredicate = [{ name: 'envoy.retry_host_predicates.previous_hosts' }]
  const policy = { ...ON_5XX, numRetries: 1, retryHostPredicate, hostSelectionRetryMaxAttempts: 20 }
  for (let i = 0; i < 20; i++) {
    const { side, clock } = setUp({ policy })
    side(0).connect().answer(503)
    clock.advance(40)
    expect(side(1).host).not.toBe(side(0).host)
  }
})

test.each([
  [1, [0, 1, 2, 0]],
  [2, [0, 0, 1, 1]],
])('a retry turns to priorities that were not tried, anew after %i tries', (updateFrequency, expected) => {
  const typedConfig = typed('retry.priority.previous_priorities.v3.PreviousPrioritiesConfig', { updateFrequency })
  const policy = { ...ON_5XX, retryPriority: { name: 'envoy.retry_priorities.previous_priorities', typedConfig } }
  const { sides, side, clock, tries, cluster } = setUp({ policy, priorities: [0, 1, 2] })
  for (let i = 0; i < 3; i++) {
    side(i).connect().answer(503)
    clock.advance(300)
  }
  expect(sides.map(({ host }) => host.plan.priority)).toEqual(expected)
  // The next request begins with the first priority again.
  tries.end()
  tries.begin(cluster)
  expect(side(4).host.plan.priority).toBe(0)
})

test('a retry of what is itself a retry is left to the caller', () => {
  const { sides, side, told, clock, tries } = setUp({ policy: ON_5XX, caller: { isTrusted: true, attempt: 2 } })
  side(0).connect().answer(503)
  clock.advance(1000)
  expect([sides.length, told, tries.refusal]).toEqual([1, ['503'], 'nested'])
})

test('what nobody further in could retry is not retried further out', () => {
  const { sides, side, told, clock, tries } = setUp({ policy: ON_5XX })
  side(0).connect().answer(503, { 'x-lateen-no-retry': 'limit' })
  clock.advance(1000)
  expect([sides.length, told, tries.refusal]).toEqual([1, ['503'], 'nested'])
})

test('nothing is begun that the caller would not wait for', () => {
  let elapsedMs = 0
  const policy = { ...ON_5XX, perTryTimeout: '0.2s' }
  const options = { policy, caller: { isTrusted: true, timeoutMs: 300 }, elapsedMs: () => elapsedMs }
  const quick = setUp(options)
  elapsedMs = 270
  quick.side(0).connect().answer(503)
  quick.clock.advance(50)
  expect(quick.sides.length).toBe(2)
  elapsedMs = 280
  quick.side(1).connect().answer(503)
  quick.clock.advance(1000)
  expect([quick.sides.length, quick.told, quick.tries.refusal]).toEqual([2, ['503'], 'deadline'])
  // What has taken its full time would do so again.
  elapsedMs = 200
  const slow = setUp(options)
  slow.side(0).connect()
  slow.clock.advance(1000)
  expect([slow.sides.length, slow.tries.refusal]).toEqual([1, 'deadline'])
})

test('a budget that is spent ends it, with the answer that there is', () => {
  const { sides, side, told, clock, decision, stat, cluster } = setUp({
    policy: ON_5XX,
    thresholds: { retryBudget: {} },
  })
  while (cluster.breaker.window.allows(20)) cluster.breaker.window.spend()
  side(0).connect().answer(503)
  clock.advance(1000)
  expect([sides.length, told, decision.retryFlag]).toEqual([1, ['503'], 'UO'])
  expect(stat('upstream_rq_retry_overflow')).toBe(1)
})

test('a retry in the place of what was never sent costs nothing when it succeeds', () => {
  for (const [fail, cost] of [
    [(one: HostSide) => one.attempt.onPoolFailure('connect_failure', ''), 0],
    [(one: HostSide) => one.connect().answer(503), 1],
  ] as const) {
    const { side, clock, cluster } = setUp({ policy: ON_5XX, thresholds: { retryBudget: {} } })
    fail(side(0))
    clock.advance(40)
    side(1).connect().answer(200)
    let left = 0
    for (; cluster.breaker.window.allows(20); left++) cluster.breaker.window.spend()
    expect(left).toBe(5 - cost)
  }
})

test('an overflow is never retried', () => {
  const { sides, side, told, clock } = setUp({ policy: ON_5XX })
  side(0).attempt.onPoolFailure('overflow', '')
  clock.advance(1000)
  expect([sides.length, told]).toEqual([1, ['503 upstream_reset_before_response_started{overflow} UO']])
})

const HEDGED: Options = { policy: { ...ON_5XX, perTryTimeout: '0.1s' }, decision: { hedges: true } }

test('a slow try gets a rival, and the first good answer counts', () => {
  for (const winner of [0, 1] as const) {
    const { sides, side, told, clock, stat } = setUp(HEDGED)
    side(0).connect()
    clock.advance(150)
    expect([sides.length, side(0).isAbandoned]).toEqual([2, false])
    side(1).connect()
    side(winner).answer(200)
    expect([told, side(1 - winner).isAbandoned, side(winner).isAbandoned]).toEqual([['200'], true, false])
    clock.advance(1000)
    expect([sides.length, stat('upstream_rq_per_try_timeout')]).toEqual([2, 0])
  }
})

test('of rivals a bad answer is no last word while another may come', () => {
  const { side, told, clock } = setUp({ ...HEDGED, policy: { ...ON_5XX, numRetries: 1, perTryTimeout: '0.1s' } })
  side(0).connect()
  clock.advance(150)
  side(1).connect()
  side(0).answer(503)
  expect(told).toEqual([])
  side(1).answer(500)
  expect(told).toEqual(['500'])
})

test('a rival that fails leaves the other, and both failing is the end', () => {
  const { side, told, clock, decision } = setUp({
    ...HEDGED,
    policy: { ...ON_5XX, numRetries: 1, perTryTimeout: '0.1s' },
  })
  side(0).connect()
  clock.advance(150)
  side(1).connect().attempt.onReset('reset', '')
  expect([told, decision.retryFlag]).toEqual([[], 'URX'])
  side(0).attempt.onReset('reset', '')
  expect(told).toEqual(['503 upstream_reset_before_response_started{connection_termination} UC'])
})

test('rivals are within the breaker as well', () => {
  const { sides, side, told, clock } = setUp({ ...HEDGED, thresholds: { maxRetries: 0 } })
  side(0).connect()
  clock.advance(1000)
  expect([sides.length, told]).toEqual([1, []])
  side(0).answer(200)
  expect(told).toEqual(['200'])
})

test('when the request ends nothing is left over', () => {
  const { side, clock, cluster, tries } = setUp({ policy: ON_5XX })
  side(0).connect().answer(503)
  expect(cluster.total(3)).toBe(1)
  tries.end()
  clock.advance(1000)
  expect([cluster.total(3), clock.pendingTimers]).toEqual([0, 0])
})

test('a retry says whether a time-out was its reason', () => {
  const virtualHost = { includeIsTimeoutRetry: true } as VirtualHostPlan
  const { side, clock, head } = setUp({ policy: { ...ON_5XX, perTryTimeout: '0.1s' }, decision: { virtualHost } })
  side(0).connect()
  clock.advance(150)
  expect(head.get('x-envoy-is-timeout-retry')).toBe('true')
  side(1).connect().answer(503)
  clock.advance(100)
  expect(head.get('x-envoy-is-timeout-retry')).toBe('false')
})

test('a try whose answer has come to its end is used again by the next request', () => {
  const { side, sides, tries, cluster, told } = setUp({})
  side(0).connect().answer(200)
  side(0).attempt.onResponseEnd()
  const first = side(0).attempt as UpstreamTry
  expect([first.requestWasSent, first.stream === undefined]).toEqual([true, false])
  tries.end()
  expect(first.stream).toBeUndefined()
  tries.begin(cluster)
  expect(side(1).attempt).toBe(first)
  expect([first.requestWasSent, first.host === side(1).host]).toEqual([false, true])
  expect(side(1).host).not.toBe(side(0).host)
  // While it is under way, another is another.
  side(1).connect().attempt.onReset('refused', '')
  expect(sides).toHaveLength(3)
  expect(side(2).attempt).not.toBe(first)
  side(2).connect().answer(201)
  expect(told).toEqual(['200', '201'])
})

test.each<[string, (side: HostSide, tries: Tries) => void]>([
  ['is given up', (_, tries) => tries.abandon()],
  ['breaks off', ({ attempt }) => attempt.onReset('reset', '')],
  ['is not read to its end', () => {}],
])('one whose answer %s is not: what still comes of it is nobody’s', (_title, ending) => {
  const { side, tries, cluster, told } = setUp({})
  side(0).connect().answer(200)
  ending(side(0), tries)
  tries.end()
  tries.begin(cluster)
  expect(side(1).attempt).not.toBe(side(0).attempt)
  side(1).connect().answer(201)
  expect(told.filter((one) => one !== 'broken')).toEqual(['200', '201'])
})
