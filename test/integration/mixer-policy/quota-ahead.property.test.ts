import { expect, test } from '@jest/globals'
import type { ManualClock } from '../../../lib/clock.ts'
import { env } from '../../../lib/env.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { type Random, randomInt, seededRandom, systemRandom } from '../../../lib/random.ts'
import type { Mixer } from '../../../mixer/mixer.ts'
import type { QuotaAnswer } from '../../../mixer/rules/dispatcher.ts'
import { bagOf, mixerOf, policy } from '../../../mixer/rules/testing.ts'
import { type QuotaTaking, takeAhead } from '../../../mixer/services/quota-grant.ts'
import { rateLimitResponse } from '../../../mixer/services/rate-limit-answer.ts'
import { readLimitAnswer } from '../../../proxy/filters/http/ratelimit/answer.ts'
import { QuotaTable } from '../../../proxy/filters/http/ratelimit/quota-table.ts'
import { answerOf, requestFor } from '../../../proxy/filters/http/ratelimit/testing.ts'
import type { SideRequest, SideResult } from '../../../proxy/stream/side-call.ts'

/*
 * Calls that the mixer grants ahead: threads of proxies with tables of their own, a mixer with memquota, and a network that takes its
 * time, on a clock that the test moves.
 */

const seed = Number(env('LATEEN_TEST_SEED') || randomInt(systemRandom, 1e9))
process.stdout.write(`quotas ahead: LATEEN_TEST_SEED=${seed}\n`)
const CALL = bagOf({ 'destination.service.host': 'a.default.svc.cluster.local' })

interface Limit {
  readonly maxAmount: number
  readonly windowMs: number
  readonly rateLimitAlgorithm: 'ROLLING_WINDOW' | 'FIXED_WINDOW'
}

function mixerWith({ maxAmount, windowMs, rateLimitAlgorithm }: Limit): { mixer: Mixer; clock: ManualClock } {
  const quota = { name: 'q.instance.istio-system', maxAmount, validDuration: `${windowMs / 1000}s`, rateLimitAlgorithm }
  const { mixer, clock } = mixerOf([
    policy('handler', 'h', { compiledAdapter: 'memquota', params: { quotas: [quota] } }),
    policy('instance', 'q', { compiledTemplate: 'quota', params: { dimensions: {} } }),
    policy('rule', 'r', { actions: [{ handler: 'h', instances: ['q'] }] }),
    policy('QuotaSpec', 's', { rules: [{ quotas: [{ quota: 'q', charge: 1 }] }] }),
    policy('QuotaSpecBinding', 'b', { services: [{ service: '*' }], quotaSpecs: [{ name: 's' }] }),
  ])
  return { mixer, clock }
}

class Service {
  granted = 0
  asked = 0
  readonly #mixer: Mixer

  constructor(mixer: Mixer) {
    this.#mixer = mixer
  }

  /** As the mixer's server does. */
  answer(wanted: number): SideResult {
    this.asked++
    const take = (hits: number) => [this.#mixer.dispatcher.quota(CALL, hits) as QuotaAnswer]
    const { answers, grant } = takeAhead(take, 1, wanted) as QuotaTaking
    this.granted += grant?.granted ?? 0
    return answerOf(rateLimitResponse(answers, grant))
  }
}

const wantedOf = ({ headers }: SideRequest) => Number(headers[0]?.[1])

/** One thread of one proxy. */
class Thread {
  readonly #service: Service
  readonly #clock: ManualClock
  readonly #delayMs: () => number
  readonly #table: QuotaTable

  constructor(service: Service, clock: ManualClock, delayMs: () => number) {
    this.#service = service
    this.#clock = clock
    this.#delayMs = delayMs
    this.#table = new QuotaTable(clock, new MetricStore(), (request, onDone) => this.#send(request, onDone))
  }

  /** As the filter does. */
  call(onVerdict: (isAllowed: boolean) => void): void {
    const known = this.#table.take('k')
    if (known !== undefined) {
      onVerdict(known.kind === 'ok')
      return
    }
    const begun = this.#table.begin('k', requestFor)
    this.#send(requestFor(begun.wanted), (answered) => {
      const result = readLimitAnswer(answered)
      begun.end(result, 1)
      onVerdict(result.kind === 'ok')
    })
  }

  #send(request: SideRequest, onDone: (result: SideResult) => void): void {
    const there = this.#delayMs()
    const arrive = () => {
      const answered = this.#service.answer(wantedOf(request))
      const back = this.#delayMs()
      if (back === 0) onDone(answered)
      else this.#clock.setTimer(back, () => onDone(answered))
    }
    if (there === 0) arrive()
    else this.#clock.setTimer(there, arrive)
  }
}

function randomLimit(random: Random, maxAmount: number): Limit {
  return {
    maxAmount,
    windowMs: 500 + randomInt(random, 5_000),
    rateLimitAlgorithm: random.next() < 0.5 ? 'ROLLING_WINDOW' : 'FIXED_WINDOW',
  }
}

test('small quotas: a proxy says what the mixer would say if it were asked each time', () => {
  const random = seededRandom(seed)
  let allowed = 0
  let saved = 0
  for (let round = 0; round < 40; round++) {
    const limit = randomLimit(random, 1 + randomInt(random, 20))
    const { mixer, clock } = mixerWith(limit)
    const naive = mixerWith(limit)
    const service = new Service(mixer)
    const thread = new Thread(service, clock, () => 0)
    const pauseMs = (2 * limit.windowMs) / limit.maxAmount
    for (let i = 0; i < 300; i++) {
      const byMs = random.next() * random.next() * pauseMs
      clock.advance(byMs)
      naive.clock.advance(byMs)
      const expected = (naive.mixer.dispatcher.quota(CALL, 1) as QuotaAnswer).granted
      let seen: boolean | undefined
      thread.call((isAllowed) => {
        seen = isAllowed
      })
      expect([seed, round, i, seen]).toEqual([seed, round, i, expected])
      if (expected) allowed++
    }
    saved += 300 - service.asked
  }
  expect(allowed).toBeGreaterThan(1_000)
  expect(saved).toBeGreaterThan(500)
})

test('large quotas: nothing passes that was not granted, and no window has more than is promised', () => {
  const random = seededRandom(seed)
  for (let round = 0; round < 12; round++) {
    const limit = randomLimit(random, 30 + randomInt(random, 1_000))
    const { mixer, clock } = mixerWith(limit)
    const service = new Service(mixer)
    const threads = Array.from({ length: 1 + randomInt(random, 4) }, () => {
      return new Thread(service, clock, () => 1 + randomInt(random, 5))
    })
    const passed: number[] = []
    const startMs = clock.nowMs()
    let calls = 0
    // From a third of what passes to three times as much, in waves.
    while (clock.nowMs() - startMs < 6 * limit.windowMs) {
      const load = 0.3 + (3 * (calls % 997)) / 997
      clock.advance((2 * random.next() * limit.windowMs) / limit.maxAmount / load)
      calls++
      ;(threads[randomInt(random, threads.length)] as Thread).call((isAllowed) => {
        if (isAllowed) passed.push(clock.nowMs())
      })
      expect(passed.length).toBeLessThanOrEqual(service.granted)
    }
    const { maxAmount, windowMs } = limit
    // A fixed window's own promise is that of two which meet.
    const own = limit.rateLimitAlgorithm === 'FIXED_WINDOW' ? 2 * maxAmount : maxAmount
    const ahead = Math.min(maxAmount, Math.ceil((threads.length * 3 * maxAmount) / 8))
    for (let from = 0, to = 0; from < passed.length; from++) {
      while (to < passed.length && (passed[to] as number) < (passed[from] as number) + windowMs) to++
      expect([seed, round, to - from <= own + ahead]).toEqual([seed, round, true])
    }
    const most = Math.min(calls, 5 * maxAmount)
    expect([seed, round, passed.length > most * 0.4]).toEqual([seed, round, true])
  }
})
