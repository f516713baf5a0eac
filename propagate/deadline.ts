/** Of Envoy's router: how long the answer is waited for, in milliseconds. */
export const EXPECTED_TIMEOUT = 'x-envoy-expected-rq-timeout-ms'
/** Of gRPC ("PROTOCOL-HTTP2", Timeout). */
export const GRPC_TIMEOUT = 'grpc-timeout'

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 }
const MAX_DIGITS = 8

/** Milliseconds; undefined for what is no time-out. */
export function parseGrpcTimeout(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? []
  return digits === undefined || unit === undefined ? undefined : Number(digits) * (UNIT_MS[unit] as number)
}

/** Never longer than `ms`, and never nothing. */
export function formatGrpcTimeout(ms: number): string {
  const whole = Math.max(1, Math.floor(ms))
  if (String(whole).length <= MAX_DIGITS) return `${whole}m`
  return `${Math.floor(whole / 1000)}S`
}

/** Milliseconds; undefined where nothing usable is said. 0 is no bound. */
export function parseExpectedTimeout(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined
  const ms = Number(text)
  return ms > 0 ? ms : undefined
}

export function formatExpectedTimeout(ms: number): string {
  return String(Math.max(1, Math.floor(ms)))
}
