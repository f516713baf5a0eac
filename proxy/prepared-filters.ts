import type { FilterChainPlan, Plan } from './plan/plan.ts'
import type { StreamContext } from './stream/context.ts'

/** The filter configurations of the plan that is served, as far as something is done for them beside requests. */
export class PreparedFilters {
  readonly #context: StreamContext
  #stops = new Map<unknown, () => void>()

  constructor(context: StreamContext) {
    this.#context = context
  }

  /** Prepares what is new, and stops what is done for configurations that are no longer there. */
  setPlan(plan: Plan): void {
    const before = this.#stops
    const now = new Map<unknown, () => void>()
    for (const { filter, config } of filtersOf(plan)) {
      const { prepare } = filter
      if (prepare === undefined || now.has(config)) continue
      now.set(config, before.get(config) ?? prepare.call(filter, config, this.#context))
    }
    this.#stops = now
    for (const [config, stop] of before) if (!now.has(config)) stop()
  }

  close(): void {
    for (const stop of this.#stops.values()) stop()
    this.#stops.clear()
  }
}

function* filtersOf(plan: Plan) {
  for (const { filterChains, defaultFilterChain } of plan.listeners.values()) {
    for (const chain of filterChains) yield* filtersOfChain(chain)
    if (defaultFilterChain !== undefined) yield* filtersOfChain(defaultFilterChain)
  }
}

function filtersOfChain({ filter }: FilterChainPlan) {
  return filter.kind === 'http' ? filter.filters : []
}
