import type { ObserverContext } from '../observer.ts'
import { SeriesTable } from './series-table.ts'

/** The table of a thread, which all of its observers share and which outlives plans. */
export function seriesTable(context: ObserverContext): SeriesTable {
  const { metrics, clock } = context.stream
  return context.sink('istio.stats', () => new SeriesTable({ metrics, clock, limit: context.seriesLimit }))
}
