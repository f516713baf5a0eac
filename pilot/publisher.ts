import { PUSH_ORDER, SHORT_TYPE } from '../api/type-urls.ts'
import type { Finding } from '../config/finding.ts'
import type { ConfigObject } from '../config/object.ts'
import type { ConfigSnapshot, ConfigSource } from '../config/store.ts'
import type { JWTRule, RequestAuthenticationBody } from '../crds/kinds/request-authentication.ts'
import type { Clock, Timer } from '../lib/clock.ts'
import { errorText } from '../lib/errors.ts'
import { type Logger, silentLogger } from '../lib/log.ts'
import type { Histogram } from '../lib/metrics/histogram.ts'
import { MetricStore } from '../lib/metrics/store.ts'
import { INLINE_KEYS, type KeyProvider } from './jwks/key-table.ts'
import { Memo } from './memo.ts'
import { buildGeneration, type Generation } from './mesh/generation.ts'
import { type ProxyNode, resolveNode } from './mesh/node.ts'
import { DEFAULT_MESH_OPTIONS, type MeshOptions } from './mesh/options.ts'
import { scopeOfNode } from './mesh/scope.ts'
import { ScopedView } from './view/scoped-view.ts'
import type { NodeIdentity, ViewSource } from './xds/view.ts'

export interface PublisherOptions {
  source: ConfigSource
  clock: Clock
  mesh?: Partial<MeshOptions>
  /** The roots that the mesh's certificates lead to, PEM. */
  trustBundle?: string | undefined
  /** A change is published when nothing else changed for so long (Istio's PILOT_DEBOUNCE_AFTER). */
  quietMs?: number
  /** Or when it has waited so long (PILOT_DEBOUNCE_MAX). */
  maxDelayMs?: number
  logger?: Logger
  metrics?: MetricStore
  /** Whose tokens can be checked, by which keys; by default only by those that are written out. */
  keys?: KeyProvider | undefined
}

/** Seconds; Istio's (pilot/pkg/xds/monitoring.go). */
const DEBOUNCE_BUCKETS = [0.01, 0.1, 1, 3, 5, 10, 20, 30]
/** How long a change waits for keys that are being fetched for the first time. */
const MAX_KEYS_WAIT_MS = 2_000

/** What a node is given, for people. */
export interface NodeDescription {
  generation: number
  node: ProxyNode
  scopeKey: string
  /** By short type name, such as CDS. */
  resources: Record<string, { name: string; version: string; bytes: number }[]>
}

/**
 * Turns configuration into numbered generations, and generations into the views that proxies get. A generation that
 * cannot be built is not published: the last good one stays.
 */
export class Publisher implements ViewSource {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #mesh: MeshOptions
  #trustBundle: string
  readonly #quietMs: number
  readonly #maxDelayMs: number
  readonly #memo = new Memo()
  readonly #listeners = new Set<(generation: number) => void>()
  readonly #stopSource: () => void
  readonly #keys: KeyProvider
  readonly #stopKeys: () => void
  readonly #translated: Histogram
  #generation: Generation
  #snapshot: ConfigSnapshot
  #views = new Map<string, ScopedView>()
  #viewOfNode = new WeakMap<NodeIdentity, ScopedView>()
  #timer: Timer | undefined
  #waitingSinceMs: number | undefined
  #changedAtMs: number

  constructor(options: PublisherOptions) {
    this.#clock = options.clock
    this.#changedAtMs = this.#clock.nowMs()
    this.#logger = options.logger ?? silentLogger
    this.#translated = (options.metrics ?? new MetricStore()).histogram('pilot_debounce_time', {}, DEBOUNCE_BUCKETS)
    this.#mesh = { ...DEFAULT_MESH_OPTIONS, ...options.mesh }
    this.#trustBundle = options.trustBundle ?? ''
    this.#quietMs = options.quietMs ?? 100
    this.#maxDelayMs = options.maxDelayMs ?? 1_000
    this.#snapshot = options.source.current()
    this.#keys = options.keys ?? INLINE_KEYS
    this.#keys.use(jwtRulesOf(this.#snapshot.objects))
    this.#generation = this.#build(1)
    this.#stopSource = options.source.onChange((snapshot) => {
      this.#keys.use(jwtRulesOf(snapshot.objects))
      this.#onChange(snapshot)
    })
    this.#stopKeys = this.#keys.onChange(() => this.#onChange(this.#snapshot))
  }

  /** The number of the generation that is published. Counts from 1. */
  get generation(): number {
    return this.#generation.number
  }

  get changedAtMs(): number {
    return this.#changedAtMs
  }

  /** The indexed mesh of that generation. */
  get mesh(): Generation {
    return this.#generation
  }

  /** What is wrong with its configuration: what the source found, and references that lead nowhere. */
  get findings(): readonly Finding[] {
    return [...this.#snapshot.findings, ...this.#generation.dangling]
  }

  viewFor(node: NodeIdentity): ScopedView {
    let view = this.#viewOfNode.get(node)
    if (view === undefined) {
      const scope = scopeOfNode(this.resolve(node), this.#generation, this.#memo)
      const namespace = node.proven?.namespace
      const key = namespace === undefined ? scope.key : `${scope.key} proven ${namespace}`
      view = this.#views.get(key) ?? new ScopedView(scope, this.#generation, this.#memo, namespace)
      this.#views.set(key, view)
      this.#viewOfNode.set(node, view)
    }
    return view
  }

  /** The proxy that an xDS node stands for. Throws a MeshError when its id cannot be understood. */
  resolve(node: NodeIdentity): ProxyNode {
    const { workloads } = this.#generation.registry
    return this.#memo.get('proxy node', [node, workloads], () => resolveNode(node, workloads))
  }

  onGeneration(listener: (generation: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  describe(node: NodeIdentity): NodeDescription {
    const view = this.viewFor(node)
    const resources: NodeDescription['resources'] = {}
    for (const type of PUSH_ORDER) {
      resources[SHORT_TYPE[type]] = view
        .list(type)
        .map(({ name, version, bytes }) => ({ name, version, bytes: bytes.length }))
    }
    return { generation: view.generation, node: this.resolve(node), scopeKey: view.scope.key, resources }
  }

  /** Publishes what is waiting, without waiting longer. */
  flush(): void {
    if (this.#waitingSinceMs !== undefined) this.#publish()
  }

  close(): void {
    this.#stopSource()
    this.#stopKeys()
    this.#timer?.cancel()
    this.#timer = undefined
    this.#waitingSinceMs = undefined
    this.#listeners.clear()
  }

  /** Publishes other roots than before, PEM, at once. */
  setTrustBundle(roots: string): void {
    if (roots === this.#trustBundle) return
    this.#trustBundle = roots
    this.#publish()
  }

  #onChange(snapshot: ConfigSnapshot): void {
    this.#snapshot = snapshot
    const nowMs = this.#clock.nowMs()
    this.#waitingSinceMs ??= nowMs
    const leftMs = this.#maxDelayMs - (nowMs - this.#waitingSinceMs)
    this.#timer?.cancel()
    this.#timer = this.#clock.setTimer(Math.max(0, Math.min(this.#quietMs, leftMs)), () => this.#publish())
  }

  #build(number: number): Generation {
    return buildGeneration(
      this.#snapshot.objects,
      number,
      this.#mesh,
      this.#memo,
      this.#trustBundle,
      this.#keys.snapshot(),
    )
  }

  #publish(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#keys.isWaiting && this.#clock.nowMs() - (this.#waitingSinceMs ?? 0) < MAX_KEYS_WAIT_MS) {
      // Without them good tokens would be refused for a moment; when they are there, onChange() is called.
      this.#timer = this.#clock.setTimer(MAX_KEYS_WAIT_MS, () => this.#publish())
      return
    }
    this.#changedAtMs = this.#waitingSinceMs ?? this.#clock.nowMs()
    this.#waitingSinceMs = undefined
    const number = this.#generation.number + 1
    this.#memo.nextRound()
    try {
      this.#generation = this.#build(number)
    } catch (thrown) {
      this.#logger.error('the new generation is not published', { generation: number, error: errorText(thrown) })
      return
    }
    this.#translated.record((this.#clock.nowMs() - this.#changedAtMs) / 1000)
    this.#views = new Map()
    this.#viewOfNode = new WeakMap()
    for (const listener of this.#listeners) listener(number)
  }
}

function jwtRulesOf(objects: readonly ConfigObject[]): JWTRule[] {
  return objects.flatMap(({ kind, body }) =>
    kind === 'RequestAuthentication' ? ((body as RequestAuthenticationBody).spec.jwtRules ?? []) : [],
  )
}
