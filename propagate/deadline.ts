/** Milliseconds of each unit (gRPC over HTTP/2, "Timeout"). */
const UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }
const MAX_GRPC_NUMBER = 99_999_999

/** Milliseconds, may have a fraction; undefined when it is no grpc-timeout. */
export function parseGrpcTimeout(text: string): number | undefined {
  const found = /^(\d{1,8})([HMSmun])$/.exec(text)
  return found === null ? undefined : Number(found[1]) * (UNIT_MS[found[2] as string] as number)
}

/** At most `ms`, and at least a millisecond. */
export function formatGrpcTimeout(ms: number): string {
  const whole = wholeMs(ms)
  return whole <= MAX_GRPC_NUMBER ? `${whole}m` : `${Math.min(MAX_GRPC_NUMBER, Math.floor(whole / 1000))}S`
}

/** Whole milliseconds above 0; undefined for anything else: 0 is how proxies say that there is no bound. */
export function parseExpectedTimeout(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) && Number(text) > 0 ? Number(text) : undefined
}

/** Never 0, which would be no bound. */
export function wholeMs(ms: number): number {
  return Math.max(1, Math.floor(ms))
}
