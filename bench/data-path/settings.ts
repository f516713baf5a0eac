import { env } from '../../lib/env.ts'

/** Subjects are pinned to the one core, load tools and backends to the other. */
export const PROXY_CORE = 0
export const LOAD_CORE = 1

/** Rounds that count; one more warms up. */
export const ROUNDS = atLeastOne(env('LATEEN_BENCH_ROUNDS'))
/** Of load, in each round. */
export const SECONDS = atLeastOne(env('LATEEN_BENCH_SECONDS'))

function atLeastOne(text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`LATEEN_BENCH_ROUNDS, LATEEN_BENCH_SECONDS: not ${text}`)
  return number
}
