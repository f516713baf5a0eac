import { ownText } from '../../../lib/own-text.ts'
import type { ClusterPlan } from '../../plan/plan.ts'
import type { WorkloadFacts } from '../../plan/workload.ts'
import { MAX_LENGTH } from './labels.ts'
import type { Series } from './series-table.ts'

/** All that tells the series of calls of one peer apart: compared by identity, or as numbers and short constant texts. */
export interface Outcome {
  readonly cluster: ClusterPlan | undefined
  /** Whose plan of TLS or URIs were used. */
  readonly own: unknown
  readonly principal: string
  readonly host: string
  readonly routeName: string
  readonly isGrpc: boolean
  readonly status: number
  readonly grpcStatus: number
  readonly flag: string
  readonly retryFlag: string
  readonly ending: string
  /** Values of labels that are expressions. */
  readonly tags: readonly string[]
}

interface Entry extends Outcome {
  series: Series
}

const MAX_PEERS = 2048
/** Of one peer; beyond, the oldest go. */
const MAX_OUTCOMES = 32

/** Series that calls were counted in, by the peer and then by how the call went. Bounded; what is forgotten is found again. */
export class OutcomeCache {
  readonly #byPeer = new Map<WorkloadFacts, Entry[]>()
  #lastPeer: WorkloadFacts | undefined
  #lastEntries: Entry[] = []

  find(peer: WorkloadFacts, wanted: Outcome): Series | undefined {
    const entries = this.#entriesOf(peer)
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry
      if (
        entry.status === wanted.status &&
        entry.cluster === wanted.cluster &&
        entry.own === wanted.own &&
        entry.grpcStatus === wanted.grpcStatus &&
        entry.isGrpc === wanted.isGrpc &&
        entry.flag === wanted.flag &&
        entry.retryFlag === wanted.retryFlag &&
        entry.ending === wanted.ending &&
        entry.principal === wanted.principal &&
        entry.routeName === wanted.routeName &&
        entry.host === wanted.host &&
        areAlike(entry.tags, wanted.tags)
      ) {
        if (!entry.series.isGone) return entry.series
        entries.splice(i, 1)
        return undefined
      }
    }
    return undefined
  }

  keep(peer: WorkloadFacts, outcome: Outcome, series: Series): void {
    // What is counted as overflow is no matter of its labels, of which there may be very many.
    if (series.isOverflow || outcome.host.length > MAX_LENGTH) return
    const entries = this.#entriesOf(peer)
    if (entries.length >= MAX_OUTCOMES) entries.shift()
    entries.push({ ...outcome, host: ownText(outcome.host), tags: outcome.tags.map(ownText), series })
  }

  #entriesOf(peer: WorkloadFacts): Entry[] {
    if (peer === this.#lastPeer) return this.#lastEntries
    let entries = this.#byPeer.get(peer)
    if (entries === undefined) {
      if (this.#byPeer.size >= MAX_PEERS) this.#byPeer.clear()
      entries = []
      this.#byPeer.set(peer, entries)
    }
    this.#lastPeer = peer
    this.#lastEntries = entries
    return entries
  }
}

function areAlike(a: readonly string[], b: readonly string[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return a.length === b.length
}
