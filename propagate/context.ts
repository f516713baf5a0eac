import { AsyncLocalStorage } from 'node:async_hooks'
import { type Clock, systemClock } from '../lib/clock.ts'
import { env } from '../lib/env.ts'
import { parseExpectedTimeout, parseGrpcTimeout, wholeMs } from './deadline.ts'
import { type Carries, carriedNames, EXPECTED_TIMEOUT, GRPC_TIMEOUT, LISTS } from './names.ts'

/**
 * What calls hand on that are made while a call is answered. The headers are looked through when the first call is made, not
 * before: many calls are answered without another.
 */
export class CallContext {
  readonly #clock: Clock
  readonly #carries: Carries
  readonly #arrivedMs: number
  /** Names and values by turns; undefined once looked through. */
  #raw: readonly string[] | undefined
  #headers: Map<string, string> | undefined
  #boundMs = 0
  #isAnswered = false

  /** `raw` has names and values by turns, as they came. */
  constructor(raw: readonly string[], carries: Carries, clock: Clock) {
    this.#raw = raw
    this.#carries = carries
    this.#clock = clock
    this.#arrivedMs = clock.nowMs()
  }

  /** The headers to hand on, by lower-case name. */
  get headers(): ReadonlyMap<string, string> {
    this.#headers ??= this.#look()
    return this.#headers
  }

  /**
   * How much is left of the time that the answer is waited for: whole milliseconds, 1 when it is over. Undefined when the caller
   * did not say, or was answered: what goes on after that keeps nobody waiting.
   */
  leftMs(): number | undefined {
    if (this.#isAnswered) return undefined
    this.#headers ??= this.#look()
    return this.#boundMs === 0 ? undefined : wholeMs(this.#boundMs - (this.#clock.nowMs() - this.#arrivedMs))
  }

  /** The answer is complete, or nobody waits for it any more. */
  noteAnswered(): void {
    this.#isAnswered = true
  }

  #look(): Map<string, string> {
    const raw = this.#raw ?? []
    this.#raw = undefined
    const headers = new Map<string, string>()
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = (raw[i] as string).toLowerCase()
      const value = raw[i + 1] as string
      if (name === EXPECTED_TIMEOUT) this.#bound(parseExpectedTimeout(value))
      else if (name === GRPC_TIMEOUT) this.#bound(parseGrpcTimeout(value))
      else if (this.#carries(name)) {
        const before = headers.get(name)
        if (before === undefined) headers.set(name, value)
        else if (LISTS.has(name)) headers.set(name, `${before},${value}`)
      }
    }
    return headers
  }

  /** The shorter one of two that are said. */
  #bound(ms: number | undefined): void {
    if (ms !== undefined && (this.#boundMs === 0 || ms < this.#boundMs)) this.#boundMs = ms
  }
}

const storage = new AsyncLocalStorage<CallContext>()
const carries = carriedNames(env('LATEEN_PROPAGATE_HEADERS'))

export function contextOf(raw: readonly string[]): CallContext {
  return new CallContext(raw, carries, systemClock)
}

/** The call that is being answered here; undefined outside any. */
export function currentContext(): CallContext | undefined {
  return storage.getStore()
}

export function runIn<T>(context: CallContext | undefined, f: () => T): T {
  return storage.run(context as CallContext, f)
}
