import { type Random, randomInt } from '../../../lib/random.ts'

const CONDITIONS = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'http3-post-connect-failure',
] as const
const GRPC_CONDITIONS = ['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable'] as const
const STATUSES = [200, 400, 409, 418, 425, 429, 500, 501, 502, 503, 504] as const

/** Shorter than a slow answer by far, and longer than a quick one. */
export const PER_TRY_TIMEOUT = '0.4s'

function pick<T>(random: Random, list: readonly T[]): T {
  return list[randomInt(random, list.length)] as T
}

function some<T>(random: Random, list: readonly T[], most: number): T[] {
  return Array.from({ length: randomInt(random, most + 1) }, () => pick(random, list))
}

function chance(random: Random, percent: number): boolean {
  return randomInt(random, 100) < percent
}

/** The fields of a route action: a policy, perhaps hedged, perhaps bounded in time. */
export function randomPolicy(random: Random): object {
  const on = [...new Set([...some(random, CONDITIONS, 6), ...some(random, GRPC_CONDITIONS, 3)])]
  const isBounded = chance(random, 40)
  const hedges = isBounded && chance(random, 30)
  return {
    timeout: chance(random, 25) ? '1s' : '0s',
    ...(hedges && { hedge_policy: { hedge_on_per_try_timeout: true } }),
    retry_policy: {
      retry_on: on.join(','),
      num_retries: pick(random, [0, 1, 2, 2, 3]),
      retry_back_off: { base_interval: '0.002s', max_interval: '0.01s' },
      retriable_status_codes: some(random, STATUSES, 4),
      ...(isBounded && { [chance(random, 75) ? 'per_try_timeout' : 'per_try_idle_timeout']: PER_TRY_TIMEOUT }),
      ...(chance(random, 25) && {
        retriable_headers: [{ name: 'x-retry-me', string_match: { exact: 'yes' }, invert_match: chance(random, 20) }],
      }),
      ...(chance(random, 20) && { retriable_request_headers: [{ name: 'x-may-retry', present_match: true }] }),
      ...(chance(random, 20) && {
        rate_limited_retry_back_off: {
          reset_headers: [{ name: 'Retry-After', format: 'SECONDS' }],
          max_interval: '3s',
        },
      }),
    },
  }
}

const WORDS = [
  ...STATUSES.map(String),
  'grpc:0',
  'grpc:1',
  'grpc:4',
  'grpc:8',
  'grpc:13',
  'grpc:14',
  'limited:429:0',
  'limited:503:0',
  'after:503:5',
  'after:503:1',
  'after:429:1',
  'marked:200',
  'marked:503',
  'reset',
  'reset',
  'cut',
  'slow',
  'slow-body',
  '503',
  '503',
] as const

/** What the tries of a request meet, one after the other. */
export function randomScript(random: Random): string {
  return Array.from({ length: 1 + randomInt(random, 3) }, () => pick(random, WORDS)).join(',')
}

/** Headers of a caller from inside, by which it steers its retries. */
export function randomSteering(random: Random): string[] {
  const lines: string[] = []
  const add = (percent: number, line: () => string) => chance(random, percent) && lines.push(line())
  if (chance(random, 50)) return lines
  add(50, () => `x-envoy-retry-on: ${some(random, CONDITIONS, 3).join(',') || 'nonsense'}`)
  add(25, () => `x-envoy-retry-grpc-on: ${some(random, GRPC_CONDITIONS, 2).join(',') || 'nonsense'}`)
  add(40, () => `x-envoy-max-retries: ${pick(random, ['0', '1', '2', '3', 'x'])}`)
  add(25, () => `x-envoy-retriable-status-codes: ${some(random, STATUSES, 2).join(',') || 'x'}`)
  add(20, () => 'x-envoy-retriable-header-names: X-Retry-Me, other')
  add(15, () => 'x-envoy-upstream-rq-timeout-ms: 1000')
  add(20, () => 'x-envoy-upstream-rq-per-try-timeout-ms: 400')
  add(10, () => `x-envoy-hedge-on-per-try-timeout: ${pick(random, ['true', 'false'])}`)
  return lines
}
