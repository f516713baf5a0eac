import type { Clock, Timer } from '../../lib/clock.ts'
import type { ClusterPlan, EndpointPlan, ListenerPlan, Plan, RouteConfigPlan } from '../plan/plan.ts'
import { type Accepted, type Assembly, assemblePlan, routeNamesOf } from './assemble.ts'
import { type IncomingResource, ResourceCache } from './resource-cache.ts'
import { type ClientType, RESOURCE_TYPES } from './resource-types.ts'

/** How long a resource that was asked for is waited for before it counts as missing (Envoy's initial_fetch_timeout). */
export const FETCH_TIMEOUT_MS = 15_000
/** How long a removed cluster goes on being served to routes that still name it: the new routes are on their way. */
export const LINGER_MS = 10_000

type Caches = { readonly [T in ClientType]: ResourceCache<T> }

export interface ResourceSetOptions {
  clock: Clock
  staticClusters: ReadonlyMap<string, ClusterPlan>
  staticListeners: ReadonlyMap<string, ListenerPlan>
  /** Takes a new plan. Called one at a time. */
  publish(plan: Plan): Promise<unknown>
  /** Hears of every response, to hand it to other threads. */
  relay?: (resources: RelayedResources) => void
}

/** A response as one thread hands it to another: its bytes are in shared memory. */
export interface RelayedResources {
  readonly type: ClientType
  /** The state of the world: what is absent is gone. */
  readonly isWhole: boolean
  readonly resources: readonly IncomingResource[]
  readonly removed: readonly string[]
}

/** All resources that were accepted, and the plan made of them: the meeting point of the xDS client and the data plane. */
export class ResourceSet {
  readonly caches: Caches = {
    cluster: new ResourceCache(RESOURCE_TYPES.cluster),
    endpoint: new ResourceCache(RESOURCE_TYPES.endpoint),
    listener: new ResourceCache(RESOURCE_TYPES.listener),
    route: new ResourceCache(RESOURCE_TYPES.route),
    virtualHost: new ResourceCache(RESOURCE_TYPES.virtualHost),
  }
  readonly #options: ResourceSetOptions
  readonly #askedAtMs = new Map<string, number>()
  readonly #removedAtMs = new Map<string, number>()
  #plan: Plan
  #warming: Assembly['warming'] = { clusters: [], listeners: [], routes: [] }
  #wake: Timer | undefined
  #isScheduled = false
  #publishing: Promise<unknown> = Promise.resolve()

  constructor(options: ResourceSetOptions, plan: Plan) {
    this.#options = options
    this.#plan = plan
  }

  get warming(): Assembly['warming'] {
    return this.#warming
  }

  /** Whether clusters and listeners have come at least once and nothing is held back. */
  get isReady(): boolean {
    return (
      this.#receivedTypes.has('cluster') &&
      this.#receivedTypes.has('listener') &&
      this.#warming.clusters.length + this.#warming.listeners.length + this.#warming.routes.length === 0 &&
      !this.#isScheduled
    )
  }

  readonly #receivedTypes = new Set<ClientType>()

  /** A plan is about to be made. */
  get isScheduled(): boolean {
    return this.#isScheduled
  }

  /** Takes over what another thread was given. Refusals are that thread's business. */
  take({ type, isWhole, resources, removed }: RelayedResources): void {
    // Copies: what decodes bytes does not take shared memory everywhere.
    const own = resources.map((resource) => ({ ...resource, bytes: Uint8Array.from(resource.bytes) }))
    if (isWhole) this.acceptSotw(type, own)
    else this.acceptDelta(type, own, removed)
  }

  /** All that is held, for a thread that comes late. */
  snapshot(): RelayedResources[] {
    return [...this.#receivedTypes].map((type) => {
      const { typeUrl } = RESOURCE_TYPES[type]
      const held = [...this.caches[type].resources.values()]
      const resources = held.map(({ name, version, bytes }) => ({ name, version, typeUrl, bytes }))
      return { type, isWhole: false, resources: inSharedMemory(resources), removed: [] }
    })
  }

  #relay(type: ClientType, isWhole: boolean, incoming: readonly IncomingResource[], removed: readonly string[]): void {
    this.#options.relay?.({ type, isWhole, resources: inSharedMemory(incoming), removed })
  }

  /** Returns the text of the refusal, or '' to acknowledge. */
  acceptSotw(type: ClientType, incoming: readonly IncomingResource[]): string {
    const cache = this.caches[type]
    const nowMs = this.#options.clock.wallMs()
    const { isWildcard, nameOf } = RESOURCE_TYPES[type]
    const { changed, error } = cache.accept(incoming, isWildcard ? undefined : this.wantedNames(type), nowMs)
    let removed = false
    if (isWildcard) {
      const listed = new Set<string>()
      for (const { bytes } of incoming) {
        try {
          listed.add(nameOf(bytes))
        } catch {
          // Undecodable bytes name nothing; the refusal above says so.
        }
      }
      const before = [...cache.resources.keys()]
      removed = cache.retain(listed)
      if (type === 'cluster') this.#noteRemoved(before.filter((name) => !listed.has(name)))
    }
    this.#onAccepted(type, changed || removed)
    if (this.#options.relay !== undefined) this.#relay(type, true, incoming, [])
    return error
  }

  acceptDelta(type: ClientType, incoming: readonly IncomingResource[], removedNames: readonly string[]): string {
    const cache = this.caches[type]
    const wanted = RESOURCE_TYPES[type].isWildcard ? undefined : this.wantedNames(type)
    const { changed, error } = cache.accept(incoming, wanted, this.#options.clock.wallMs())
    const removed = cache.remove(removedNames)
    if (type === 'cluster') this.#noteRemoved(removedNames)
    this.#onAccepted(type, changed || removed)
    if (this.#options.relay !== undefined) this.#relay(type, false, incoming, removedNames)
    return error
  }

  /** Versions held, to tell a server on a new delta stream. */
  versions(type: ClientType): Record<string, string> {
    const versions: Record<string, string> = {}
    for (const [name, { version }] of this.caches[type].resources) versions[name] = version
    return versions
  }

  /** Route configurations that listeners name, endpoints that clusters name. */
  wantedNames(type: ClientType): ReadonlySet<string> {
    const names = new Set<string>()
    if (type === 'endpoint') {
      for (const { plan } of this.caches.cluster.resources.values()) {
        if (plan.discovery === 'eds') names.add(plan.edsServiceName)
      }
      for (const plan of this.#options.staticClusters.values()) {
        if (plan.discovery === 'eds') names.add(plan.edsServiceName)
      }
    } else if (type === 'route') {
      for (const { plan } of this.caches.listener.resources.values()) {
        for (const name of routeNamesOf(plan)) names.add(name)
      }
      for (const plan of this.#options.staticListeners.values()) for (const name of routeNamesOf(plan)) names.add(name)
    }
    return names
  }

  /** Whether any route table takes its virtual hosts one by one. */
  get usesVhds(): boolean {
    for (const { plan } of this.caches.route.resources.values()) if (plan.usesVhds) return true
    return false
  }

  close(): void {
    this.#wake?.cancel()
  }

  #noteRemoved(names: readonly string[]): void {
    const nowMs = this.#options.clock.nowMs()
    for (const name of names) this.#removedAtMs.set(name, nowMs)
  }

  #onAccepted(type: ClientType, changed: boolean): void {
    const isFirst = !this.#receivedTypes.has(type)
    this.#receivedTypes.add(type)
    if (type === 'cluster') this.#forgetUnwanted('endpoint')
    if (type === 'listener') this.#forgetUnwanted('route')
    if (changed || isFirst) this.#schedule()
  }

  /** What nothing names any more is not kept; it would be asked for anew. */
  #forgetUnwanted(type: 'endpoint' | 'route'): void {
    const wanted = this.wantedNames(type)
    this.caches[type].retain(wanted)
    for (const key of this.#askedAtMs.keys()) {
      const [keyType, name] = splitKey(key)
      if (keyType === type && !wanted.has(name)) this.#askedAtMs.delete(key)
    }
  }

  /** Responses of one turn of the event loop make one plan. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#publishing = this.#publishing.then(() => this.#assemble())
    })
  }

  async #assemble(): Promise<void> {
    this.#isScheduled = false
    const { plan, warming } = assemblePlan(this.#accepted(), this.#plan)
    this.#plan = plan
    this.#warming = warming
    this.#armWake()
    await this.#options.publish(plan)
  }

  /** Comes back when something has been waited for, or has lingered, long enough. */
  #armWake(): void {
    const { clock } = this.#options
    const nowMs = clock.nowMs()
    const waits: number[] = []
    if (this.#warming.clusters.length + this.#warming.listeners.length > 0) waits.push(FETCH_TIMEOUT_MS)
    for (const [name, atMs] of this.#removedAtMs) {
      if (nowMs - atMs >= LINGER_MS || !this.#plan.clusters.has(name)) this.#removedAtMs.delete(name)
      else waits.push(LINGER_MS - (nowMs - atMs))
    }
    this.#wake?.cancel()
    this.#wake = waits.length === 0 ? undefined : clock.setTimer(Math.min(...waits), () => this.#schedule())
  }

  #accepted(): Accepted {
    const { clock, staticClusters, staticListeners } = this.#options
    const nowMs = clock.nowMs()
    const plans = <P>(resources: ReadonlyMap<string, { plan: P }>) => {
      const map = new Map<string, P>()
      for (const [name, { plan }] of resources) map.set(name, plan)
      return map
    }
    return {
      clusters: new Map<string, ClusterPlan>([...staticClusters, ...plans(this.caches.cluster.resources)]),
      endpoints: plans<readonly EndpointPlan[]>(this.caches.endpoint.resources),
      listeners: new Map<string, ListenerPlan>([...staticListeners, ...plans(this.caches.listener.resources)]),
      routes: plans<RouteConfigPlan>(this.caches.route.resources),
      virtualHosts: plans(this.caches.virtualHost.resources),
      hasGivenUp: (type, name) => {
        const key = `${type}\n${name}`
        const askedAtMs = this.#askedAtMs.get(key)
        if (askedAtMs === undefined) this.#askedAtMs.set(key, nowMs)
        return askedAtMs !== undefined && nowMs - askedAtMs >= FETCH_TIMEOUT_MS
      },
      mayLinger: (cluster) => {
        const removedAtMs = this.#removedAtMs.get(cluster)
        return removedAtMs !== undefined && nowMs - removedAtMs < LINGER_MS
      },
    }
  }
}

function inSharedMemory(resources: readonly IncomingResource[]): IncomingResource[] {
  const size = resources.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const memory = new Uint8Array(new SharedArrayBuffer(size))
  let at = 0
  return resources.map((resource) => {
    const bytes = memory.subarray(at, at + resource.bytes.length)
    bytes.set(resource.bytes)
    at += bytes.length
    return { ...resource, bytes }
  })
}

function splitKey(key: string): [type: string, name: string] {
  const at = key.indexOf('\n')
  return [key.slice(0, at), key.slice(at + 1)]
}
