import { AsyncLocalStorage } from 'node:async_hooks'
import { systemClock } from '../lib/clock.ts'
import { EXPECTED_TIMEOUT, GRPC_TIMEOUT, parseExpectedTimeout, parseGrpcTimeout } from './deadline.ts'

type Fields = Readonly<Record<string, string | readonly string[] | number | undefined>>

/** What a call brought along. */
export interface Carried {
  /** Lower-case names, in order, and their values. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** When its caller gives up, on the monotonic clock; undefined where it did not say. */
  readonly deadlineMs: number | undefined
}

const storage = new AsyncLocalStorage<Carried>()
const NOTHING: Carried = { fields: [], deadlineMs: undefined }

/** Of the call in whose name the running code runs; undefined outside of any. */
export function current(): Carried | undefined {
  return storage.getStore()
}

/** Runs `run`, and all that it starts, in the name of the call. */
export function inNameOf<T>(carried: Carried, run: () => T): T {
  return storage.getStore() === carried ? run() : storage.run(carried, run)
}

/** Takes from a call's fields what goes on. */
export function carriedFrom(fields: Fields, names: readonly string[]): Carried {
  const kept: [string, string][] = []
  for (const name of names) {
    const value = fields[name]
    if (value !== undefined) kept.push([name, typeof value === 'object' ? value.join(',') : String(value)])
  }
  const waitsMs = shortest(
    parseExpectedTimeout(String(fields[EXPECTED_TIMEOUT] ?? '')),
    parseGrpcTimeout(String(fields[GRPC_TIMEOUT] ?? '')),
  )
  if (kept.length === 0 && waitsMs === undefined) return NOTHING
  return { fields: kept, deadlineMs: waitsMs === undefined ? undefined : systemClock.nowMs() + waitsMs }
}

function shortest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}

/** How much is left, at least a millisecond; undefined where nothing bounds it. */
export function leftMs({ deadlineMs }: Carried): number | undefined {
  return deadlineMs === undefined ? undefined : Math.max(1, deadlineMs - systemClock.nowMs())
}
