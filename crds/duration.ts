const UNIT_MS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}
const WHOLE = /^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g

/**
 * Milliseconds of a duration as Istio's YAML writes them: Go's notation (`5s`, `0.5s`, `1h30m`, `100ms`), of which
 * protobuf's JSON form is a part. A bare `0` is zero. May have a fraction. Undefined when the text is no duration.
 */
export function parseDurationMs(text: string): number | undefined {
  const negative = text.startsWith('-')
  const digits = negative || text.startsWith('+') ? text.slice(1) : text
  if (digits === '0') return 0
  // Real durations are short; a bound keeps hostile text cheap.
  if (digits.length > 64 || !WHOLE.test(digits)) return undefined
  let totalMs = 0
  for (const [, amount, unit] of digits.matchAll(PART)) totalMs += Number(amount) * (UNIT_MS[unit as string] as number)
  // Sums such as 0.1s + 0.2s must not carry binary noise beyond a nanosecond.
  const rounded = Math.round(totalMs * 1e6) / 1e6
  return negative ? -rounded : rounded
}
