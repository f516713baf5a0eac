import { formatNodeId } from '../../../api/node.ts'
import type { MetricStore } from '../../../lib/metrics/store.ts'
import type { Publisher } from '../../../pilot/publisher.ts'
import type { NodeIdentity } from '../../../pilot/xds/view.ts'
import { findFilterChain } from '../../../proxy/decide/filter-chain.ts'
import { EMPTY_PLAN, type HttpManagerPlan, type ListenerPlan, type Plan } from '../../../proxy/plan/plan.ts'
import { ManagerStats } from '../../../proxy/stream/manager-stats.ts'
import { type CompiledBefore, planOfView } from '../../explain/plan-of-view.ts'
import type { SimulatedDownstream } from './downstream.ts'
import type { SimulatedProxy } from './proxy.ts'
import type { CallTarget } from './target.ts'

/** The workload that the proxies of a group stand beside. */
export interface GroupWorkload {
  readonly name: string
  readonly namespace: string
  readonly address: string
  readonly labels: Readonly<Record<string, string>>
}

/** Where a call enters a proxy. */
export interface Entry {
  readonly manager: HttpManagerPlan
  readonly stats: ManagerStats
}

/** Proxies that the pilot gives the same: they share one compiled plan, and count in one place. */
export class ProxyGroup {
  /** Service or client of the scenario. */
  readonly owner: string
  readonly metrics: MetricStore
  readonly proxies: SimulatedProxy[] = []
  plan: Plan = EMPTY_PLAN
  readonly #publisher: Publisher
  readonly #node: NodeIdentity
  readonly #compiled: CompiledBefore = new Map()
  readonly #entries = new Map<CallTarget, Entry | undefined>()
  readonly #stats = new Map<string, ManagerStats>()

  constructor(owner: string, metrics: MetricStore, workload: GroupWorkload, publisher: Publisher) {
    this.owner = owner
    this.metrics = metrics
    this.#publisher = publisher
    const { name, namespace, address, labels } = workload
    this.#node = {
      id: formatNodeId({ type: 'sidecar', ip: address, name, namespace, domain: publisher.mesh.options.domain }),
      cluster: owner,
      metadata: { NAMESPACE: namespace, LABELS: labels },
    }
  }

  /** Takes what the pilot has now. Returns what a proxy would refuse of it. */
  update(): readonly string[] {
    const { plan, refused } = planOfView(this.#publisher.viewFor(this.#node), this.#compiled)
    this.plan = plan
    this.#entries.clear()
    for (const proxy of this.proxies) proxy.setPlan(plan)
    return refused
  }

  /** undefined when no listener takes such calls, or none that speaks HTTP. */
  entryOf({ target, facts }: SimulatedDownstream): Entry | undefined {
    if (this.#entries.has(target)) return this.#entries.get(target)
    const listener = listenerFor(this.plan, target)
    const filter = listener === undefined ? undefined : findFilterChain(listener, facts)?.filter
    const entry = filter?.kind === 'http' ? { manager: filter, stats: this.#statsOf(filter.statPrefix) } : undefined
    this.#entries.set(target, entry)
    return entry
  }

  #statsOf(statPrefix: string): ManagerStats {
    let stats = this.#stats.get(statPrefix)
    if (stats === undefined) {
      stats = new ManagerStats(this.metrics, statPrefix)
      this.#stats.set(statPrefix, stats)
    }
    return stats
  }
}

/** As a captured connection finds it: the listener of its address, else the one of its port. */
function listenerFor(plan: Plan, { address, port }: CallTarget): ListenerPlan | undefined {
  let ofPort: ListenerPlan | undefined
  for (const listener of plan.listeners.values()) {
    if (listener.port !== port || listener.trafficDirection === 'inbound') continue
    if (listener.address === address) return listener
    if (listener.address === '0.0.0.0') ofPort = listener
  }
  return ofPort
}
