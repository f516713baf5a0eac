import type { Clock, Timer } from '../../lib/clock.ts'
import { type ClusterPlan, EMPTY_PLAN, type ListenerPlan, type Plan } from '../plan/plan.ts'
import { secretsOfCluster, secretsOfListener } from '../plan/secret-needs.ts'
import type { SecretRef } from '../plan/secret-plan.ts'
import { type Accepted, type Assembly, assemblePlan, inlineClustersOf, routeNamesOf, secretsNamed } from './assemble.ts'
import { FileWatch, type FileWatchReports } from './file-watch.ts'
import { RefusedSecrets } from './refused-secrets.ts'
import { type IncomingResource, ResourceCache } from './resource-cache.ts'
import { type ClientType, type CompiledTypes, RESOURCE_TYPES } from './resource-types.ts'
import { checkSecret, checkUser, type SecretUser, secretUsers } from './secret-check.ts'
import { ADS_SOURCE, LOCAL_SOURCE, SecretStore, type SecretStoreOptions } from './secret-store.ts'
import type { ResourceSink } from './subscription.ts'
import { Waits } from './waits.ts'

/** How long a resource that was asked for is waited for before it counts as missing (Envoy's initial_fetch_timeout). */
export const FETCH_TIMEOUT_MS = 15_000
/** How long a removed cluster goes on being served to routes that still name it: the new routes are on their way. */
export const LINGER_MS = 10_000

type Caches = { readonly [T in ClientType]: ResourceCache<T> }

export interface ResourceSetOptions extends Omit<SecretStoreOptions, 'check'> {
  clock: Clock
  staticClusters: ReadonlyMap<string, ClusterPlan>
  staticListeners: ReadonlyMap<string, ListenerPlan>
  /** Takes a new plan. Called one at a time. */
  publish(plan: Plan): Promise<unknown>
  /** Hears of every response, to hand it to other threads. */
  relay?: (resources: RelayedResources) => void
  /** Where it is said what became of files that changed; nowhere for threads beside another one that says it. */
  fileReports?: FileWatchReports
}

/** A response as one thread hands it to another: its bytes are in shared memory. */
export interface RelayedResources {
  readonly type: ClientType
  /** Where secrets came from; '' for all else. */
  readonly source: string
  /** The state of the world: what is absent is gone. */
  readonly isWhole: boolean
  readonly resources: readonly IncomingResource[]
  readonly removed: readonly string[]
}

/** All resources that were accepted, and the plan made of them: the meeting point of the xDS client and the data plane. */
export class ResourceSet implements ResourceSink {
  readonly caches: Caches
  readonly secrets: SecretStore
  readonly #options: ResourceSetOptions
  readonly #waits: Waits
  readonly #files: FileWatch
  readonly #refusedSecrets: RefusedSecrets
  readonly #removedAtMs = new Map<string, number>()
  readonly #receivedTypes = new Set<ClientType>()
  #plan: Plan
  #warming: Assembly['warming'] = { clusters: [], listeners: [], routes: [] }
  #wake: Timer | undefined
  #isScheduled = false
  #publishing: Promise<unknown> = Promise.resolve()

  constructor(options: ResourceSetOptions, plan: Plan) {
    this.#options = options
    this.#plan = plan
    this.#waits = new Waits(options.clock)
    this.secrets = new SecretStore({
      ...options,
      check: (source, secret) => checkSecret(source, secret, this.#secretUsers(), this.secrets),
    })
    this.#files = new FileWatch({
      clock: options.clock,
      store: this.secrets,
      reports: options.fileReports,
      onChange: () => this.#schedule(),
    })
    this.#refusedSecrets = new RefusedSecrets({
      clock: options.clock,
      store: this.secrets,
      accept: (source, resource) => this.acceptSecrets(source, [resource]),
    })
    this.caches = {
      cluster: new ResourceCache(RESOURCE_TYPES.cluster, (_name, cluster) => this.#checkUsers([], [cluster])),
      endpoint: new ResourceCache(RESOURCE_TYPES.endpoint),
      listener: new ResourceCache(RESOURCE_TYPES.listener, (_name, listener) => this.#checkUsers([listener], [])),
      route: new ResourceCache(RESOURCE_TYPES.route),
      virtualHost: new ResourceCache(RESOURCE_TYPES.virtualHost),
      secret: this.secrets.cacheOf(ADS_SOURCE),
    }
  }

  /**
   * The static resources, as far as they can be served at once: those that wait for secrets come with a later plan, which
   * is then on its way.
   */
  start(): Plan {
    const { staticClusters, staticListeners } = this.#options
    const hasSecrets = (refs: readonly SecretRef[]) => refs.every((ref) => this.secrets.find(ref) !== undefined)
    const clusters = new Map([...staticClusters].filter(([, cluster]) => hasSecrets(secretsOfCluster(cluster))))
    const waits = (cluster: string) => staticClusters.has(cluster) && !clusters.has(cluster)
    const listeners = new Map(
      [...staticListeners].filter(
        ([, listener]) => hasSecrets(secretsOfListener(listener)) && !inlineClustersOf(listener).some(waits),
      ),
    )
    if (clusters.size < staticClusters.size || listeners.size < staticListeners.size) this.#schedule()
    const secrets = this.secrets.findAll(secretsNamed(listeners.values(), clusters.values()))
    this.#files.follow(this.#secretUsers())
    this.#plan = { ...EMPTY_PLAN, version: 1, clusters, listeners, secrets }
    return this.#plan
  }

  /** The last that was made. */
  get plan(): Plan {
    return this.#plan
  }

  get warming(): Assembly['warming'] {
    return this.#warming
  }

  /** Nothing is held back, and no plan is about to be made. */
  get isSettled(): boolean {
    const { clusters, listeners, routes } = this.#warming
    return clusters.length + listeners.length + routes.length === 0 && !this.#isScheduled
  }

  /** Whether clusters and listeners have come at least once and nothing is held back. */
  get isReady(): boolean {
    return this.#receivedTypes.has('cluster') && this.#receivedTypes.has('listener') && this.isSettled
  }

  /** A plan is about to be made. */
  get isScheduled(): boolean {
    return this.#isScheduled
  }

  /** Takes over what another thread was given. Refusals are that thread's business. */
  take({ type, source, isWhole, resources, removed }: RelayedResources): void {
    // Copies: what decodes bytes does not take shared memory everywhere.
    const own = resources.map((resource) => ({ ...resource, bytes: Uint8Array.from(resource.bytes) }))
    if (type === 'secret') this.acceptSecrets(source, own, removed)
    else if (isWhole) this.acceptSotw(type, own)
    else this.acceptDelta(type, own, removed)
  }

  /** All that is held, for a thread that comes late: secrets last, since it takes only what it has a use for. */
  snapshot(): RelayedResources[] {
    const held = <T extends ClientType>(type: T, source: string, cache: ResourceCache<T>): RelayedResources => {
      const { typeUrl } = RESOURCE_TYPES[type]
      const resources = [...cache.resources.values()].map(({ name, version, bytes }) => {
        return { name, version, typeUrl, bytes }
      })
      return { type, source, isWhole: false, resources: inSharedMemory(resources), removed: [] }
    }
    return [
      ...[...this.#receivedTypes].map((type) => held(type, '', this.caches[type] as ResourceCache<typeof type>)),
      ...[...this.secrets.caches].map(([source, cache]) => held('secret', source, cache)),
    ]
  }

  #relay(
    type: ClientType,
    isWhole: boolean,
    incoming: readonly IncomingResource[],
    removed: readonly string[],
    source = '',
  ): void {
    this.#options.relay?.({ type, source, isWhole, resources: inSharedMemory(incoming), removed })
  }

  /** Returns the text of the refusal, or '' to acknowledge. */
  acceptSotw(type: ClientType, incoming: readonly IncomingResource[]): string {
    if (type === 'secret') return this.acceptSecrets(ADS_SOURCE, incoming)
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
    if (type === 'secret') return this.acceptSecrets(ADS_SOURCE, incoming, removedNames)
    const cache = this.caches[type]
    const wanted = RESOURCE_TYPES[type].isWildcard ? undefined : this.wantedNames(type)
    const { changed, error } = cache.accept(incoming, wanted, this.#options.clock.wallMs())
    const removed = cache.remove(removedNames)
    if (type === 'cluster') this.#noteRemoved(removedNames)
    this.#onAccepted(type, changed || removed)
    if (this.#options.relay !== undefined) this.#relay(type, false, incoming, removedNames)
    return error
  }

  /**
   * Takes secrets from one source over: those that something refers to, and all of this process' own. One that is in use is not taken
   * away, as in Envoy; one that is said not to be there is not waited for. Returns the text of the refusal, or ''.
   */
  acceptSecrets(source: string, incoming: readonly IncomingResource[], removedNames: readonly string[] = []): string {
    const wanted = source === LOCAL_SOURCE ? this.secrets.localNames : this.wantedSecrets(source)
    const { changed, error } = this.secrets.cacheOf(source).accept(incoming, wanted, this.#options.clock.wallMs())
    if (error !== '') this.#refusedSecrets.note(source, incoming)
    const isLess = removedNames.length > 0 && this.#giveUpSecrets(source, new Set(removedNames))
    if (changed || isLess) this.#schedule()
    if (this.#options.relay !== undefined) this.#relay('secret', false, incoming, removedNames, source)
    return error
  }

  #giveUpSecrets(source: string, names: ReadonlySet<string>): boolean {
    const missing = [...this.secretRefs()].filter(
      (ref) => names.has(ref.name) && this.secrets.sourceOf(ref) === source && this.secrets.find(ref) === undefined,
    )
    for (const { key } of missing) this.#waits.giveUp('secret', key)
    return missing.length > 0
  }

  /** Versions held, to tell a server on a new delta stream. */
  versions(type: ClientType): Record<string, string> {
    const versions: Record<string, string> = {}
    for (const [name, { version }] of this.caches[type].resources) versions[name] = version
    return versions
  }

  /** Route configurations that listeners name, endpoints that clusters name, secrets that both name. */
  wantedNames(type: ClientType): ReadonlySet<string> {
    if (type === 'secret') return this.wantedSecrets(ADS_SOURCE)
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

  /** Secrets of one source that something refers to. */
  wantedSecrets(source: string): ReadonlySet<string> {
    const names = new Set<string>()
    for (const ref of this.secretRefs()) if (this.secrets.sourceOf(ref) === source) names.add(ref.name)
    return names
  }

  /** Whatever refers to a secret: what was accepted, and what is still served in its place. */
  *secretRefs(): Generator<SecretRef, void, undefined> {
    for (const user of this.#secretUsers()) yield* user.needs
  }

  *#secretUsers(): Generator<SecretUser, void, undefined> {
    const { staticClusters, staticListeners } = this.#options
    const { clusters, listeners } = this.#plan
    yield* secretUsers(staticListeners.values(), staticClusters.values())
    yield* secretUsers(plansOf(this.caches.listener).values(), plansOf(this.caches.cluster).values())
    yield* secretUsers(listeners.values(), clusters.values())
  }

  #checkUsers(listeners: readonly ListenerPlan[], clusters: readonly ClusterPlan[]): void {
    for (const user of secretUsers(listeners, clusters)) checkUser(user, this.secrets)
  }

  /** Whether any route table takes its virtual hosts one by one. */
  get usesVhds(): boolean {
    for (const { plan } of this.caches.route.resources.values()) if (plan.usesVhds) return true
    return false
  }

  close(): void {
    this.#files.close()
    this.#refusedSecrets.close()
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
    this.#waits.retain(type, wanted)
  }

  #forgetUnwantedSecrets(): void {
    const refs = [...this.secretRefs()]
    this.secrets.retain(refs)
    this.#waits.retain('secret', new Set(refs.map(({ key }) => key)))
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
    this.#waits.begin()
    const { plan, warming } = assemblePlan(this.#accepted(), this.#plan)
    this.#plan = plan
    this.#warming = warming
    this.#forgetUnwantedSecrets()
    this.#files.follow(this.#secretUsers())
    this.#armWake()
    await this.#options.publish(plan)
  }

  /** Comes back when something has been waited for, or has lingered, long enough. */
  #armWake(): void {
    const { clock } = this.#options
    const nowMs = clock.nowMs()
    const waits = [this.#waits.nextMs]
    for (const [name, atMs] of this.#removedAtMs) {
      if (nowMs - atMs >= LINGER_MS || !this.#plan.clusters.has(name)) this.#removedAtMs.delete(name)
      else waits.push(LINGER_MS - (nowMs - atMs))
    }
    this.#wake?.cancel()
    const waitMs = Math.min(...waits)
    this.#wake = Number.isFinite(waitMs) ? clock.setTimer(waitMs, () => this.#schedule()) : undefined
  }

  #accepted(): Accepted {
    const { clock, staticClusters, staticListeners } = this.#options
    const nowMs = clock.nowMs()
    return {
      clusters: new Map([...staticClusters, ...plansOf(this.caches.cluster)]),
      endpoints: plansOf(this.caches.endpoint),
      listeners: new Map([...staticListeners, ...plansOf(this.caches.listener)]),
      routes: plansOf(this.caches.route),
      virtualHosts: plansOf(this.caches.virtualHost),
      secret: (ref) => this.secrets.find(ref),
      hasGivenUpSecret: ({ key, fetchTimeoutMs }) => this.#waits.isOver('secret', key, fetchTimeoutMs),
      hasGivenUp: (type, name) => this.#waits.isOver(type, name, FETCH_TIMEOUT_MS),
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

function plansOf<T extends ClientType>({ resources }: ResourceCache<T>): Map<string, CompiledTypes[T]> {
  const plans = new Map<string, CompiledTypes[T]>()
  for (const [name, { plan }] of resources) plans.set(name, plan)
  return plans
}
