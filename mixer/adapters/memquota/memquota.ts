import { type Static, Type } from '@sinclair/typebox'
import { parseDurationMs } from '../../../crds/duration.ts'
import { durationOrZero, message } from '../../../crds/schema.ts'
import { checkLimits, dimensionsOf, type Limit, Limits, QuotaLimit, quotaKey } from '../../quota/limits.ts'
import { Allocation, FixedWindow, RollingWindow, type Window } from '../../quota/window.ts'
import type { Adapter, Handler, HandlerEnvironment, Instance, QuotaAsk, QuotaResult } from '../adapter.ts'
import { Deduplication } from './deduplication.ts'

const Params = message({
  quotas: Type.Optional(Type.Array(QuotaLimit)),
  minDeduplicationDuration: Type.Optional(durationOrZero()),
})
type Params = Static<typeof Params>

/** So many combinations of a quota's dimensions are counted at once; beyond, the one that was asked for longest ago is forgotten. */
export const MAX_CELLS = 100_000

/** Counts in the memory of this process alone. */
export const memquota: Adapter<Params> = {
  name: 'memquota',
  templates: ['quota'],
  params: Params,
  validate: ({ quotas = [] }, error) => checkLimits(quotas, error),
  open: (params, environment) => new MemQuota(params, environment),
}

interface Cell {
  readonly window: Window
  /** A cell made for another limit is begun anew. */
  readonly limit: Limit
}

class MemQuota implements Handler {
  readonly #limits: Limits
  readonly #environment: HandlerEnvironment
  readonly #cells = new Map<string, Cell>()
  readonly #deduplication: Deduplication

  constructor({ quotas = [], minDeduplicationDuration = '1s' }: Params, environment: HandlerEnvironment) {
    this.#limits = new Limits(quotas, 'ROLLING_WINDOW')
    this.#environment = environment
    this.#deduplication = new Deduplication(parseDurationMs(minDeduplicationDuration) ?? 0)
  }

  quota(instance: Instance, ask: QuotaAsk): QuotaResult {
    const dimensions = dimensionsOf(instance)
    const limit = this.#limits.find(instance, dimensions)
    if (limit === undefined) throw new Error(`no quota is named ${instance.key}`)
    const key = quotaKey(instance, dimensions)
    const nowMs = this.#environment.clock.nowMs()
    const asked = ask.deduplicationId === '' ? '' : `${ask.deduplicationId} ${key}`
    const known = this.#deduplication.find(asked, nowMs)
    if (known !== undefined) return known
    const { window } = this.#cell(key, limit)
    const granted = window.take(ask.amount, ask.bestEffort, limit.maxAmount, nowMs)
    const result = {
      granted,
      validDurationMs: limit.windowMs,
      maxAmount: limit.maxAmount,
      remaining: Math.max(0, limit.maxAmount - window.used(nowMs)),
      resetMs: window.resetMs(nowMs),
    }
    this.#deduplication.keep(asked, result)
    return result
  }

  close(): void {
    this.#cells.clear()
  }

  /** The cells are in the order in which they were asked for. */
  #cell(key: string, limit: Limit): Cell {
    let cell = this.#cells.get(key)
    if (cell !== undefined) this.#cells.delete(key)
    if (cell === undefined || cell.limit !== limit) cell = { window: windowOf(limit), limit }
    this.#cells.set(key, cell)
    if (this.#cells.size > MAX_CELLS) {
      this.#cells.delete(this.#cells.keys().next().value as string)
      this.#environment.metrics.counter('memquota_cells_forgotten_total').inc()
    }
    return cell
  }
}

function windowOf({ windowMs, bucketMs, algorithm }: Limit): Window {
  if (windowMs === 0) return new Allocation()
  if (algorithm === 'FIXED_WINDOW') return new FixedWindow(windowMs)
  return new RollingWindow(windowMs, bucketMs === 0 ? undefined : bucketMs)
}
