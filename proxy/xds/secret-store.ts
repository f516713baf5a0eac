import { sourceKey } from '../plan/compile/secret-refs.ts'
import { refuse } from '../plan/plan-error.ts'
import type { SecretPlan, SecretRef, Secrets } from '../plan/secret-plan.ts'
import { ResourceCache } from './resource-cache.ts'
import { RESOURCE_TYPES } from './resource-types.ts'

/** The source of the secrets that this process supplies itself: see SecretProvider. */
export const LOCAL_SOURCE = 'local'
/** The source that the stream of all other resources is. */
export const ADS_SOURCE = 'ads'
/** Of all sources together. */
export const MAX_SECRETS = 8192

export interface SecretStoreOptions {
  /** `static_resources.secrets`, by name. */
  readonly staticSecrets?: ReadonlyMap<string, SecretPlan>
  /** What this process supplies itself in the place of every source but the stream of all other resources. */
  readonly localNames?: ReadonlySet<string>
  /** Static clusters that secrets may be asked of. */
  readonly grpcClusters?: ReadonlySet<string>
  /** Throws a PlanError when this secret does not fit who refers to it. */
  readonly check: (source: string, secret: SecretPlan) => void
}

/** The secrets that were accepted, by where they came from. */
export class SecretStore {
  readonly #options: SecretStoreOptions
  readonly #caches = new Map<string, ResourceCache<'secret'>>()
  /** What the files of a secret hold by now, where they have changed since it was accepted. */
  readonly #reread = new WeakMap<SecretPlan, SecretPlan>()

  constructor(options: SecretStoreOptions) {
    this.#options = options
  }

  get localNames(): ReadonlySet<string> {
    return this.#options.localNames ?? NO_NAMES
  }

  /** What has come from each source so far. */
  get caches(): ReadonlyMap<string, ResourceCache<'secret'>> {
    return this.#caches
  }

  cacheOf(source: string): ResourceCache<'secret'> {
    let cache = this.#caches.get(source)
    if (cache === undefined) {
      cache = new ResourceCache(RESOURCE_TYPES.secret, (name, secret, isNew) => {
        if (secret.name !== name) refuse('name', `is ${secret.name}`)
        if (isNew && this.#count >= MAX_SECRETS) refuse('', `more than ${MAX_SECRETS} secrets`)
        this.#options.check(source, secret)
      })
      this.#caches.set(source, cache)
    }
    return cache
  }

  /** Versions held of one source, to tell a server on a new delta stream. */
  versions(source: string): Record<string, string> {
    const versions: Record<string, string> = {}
    for (const [name, { version }] of this.#caches.get(source)?.resources ?? []) versions[name] = version
    return versions
  }

  get #count(): number {
    let count = 0
    for (const { resources } of this.#caches.values()) count += resources.size
    return count
  }

  /** Where a reference is answered from. */
  sourceOf(ref: SecretRef): string {
    return this.#isLocal(ref) ? LOCAL_SOURCE : sourceKey(ref.source)
  }

  /** Whoever sends everything else may send secrets of its own under any name. */
  #isLocal({ name, source }: SecretRef): boolean {
    return source.kind !== 'ads' && source.kind !== 'file' && this.localNames.has(name)
  }

  find(ref: SecretRef): SecretPlan | undefined {
    const accepted = this.accepted(ref)
    return accepted && this.latest(accepted)
  }

  /** As it came, whatever has become of its files since. */
  accepted(ref: SecretRef): SecretPlan | undefined {
    if (ref.source.kind === 'file') return ref.source.secret
    const source = this.sourceOf(ref)
    if (source === 'static') return this.#options.staticSecrets?.get(ref.name)
    return this.#caches.get(source)?.resources.get(ref.name)?.plan
  }

  /** The last good one of an accepted secret. */
  latest(accepted: SecretPlan): SecretPlan {
    return this.#reread.get(accepted) ?? accepted
  }

  /** Puts what the files of an accepted secret hold now in its place. */
  replace(accepted: SecretPlan, reread: SecretPlan): void {
    this.#reread.set(accepted, reread)
  }

  /** Those of these references that are there, by their keys. */
  findAll(refs: Iterable<SecretRef>): Secrets {
    const found = new Map<string, SecretPlan>()
    for (const ref of refs) {
      const secret = this.find(ref)
      if (secret !== undefined) found.set(ref.key, secret)
    }
    return found
  }

  /** Throws a PlanError when nothing can ever answer the reference. */
  checkSource(ref: SecretRef): void {
    if (this.#isLocal(ref)) return
    const { source } = ref
    if (source.kind === 'refused') refuse(source.path, source.reason)
    if (source.kind === 'static' && this.#options.staticSecrets?.has(ref.name) !== true) {
      refuse(ref.path, `no static secret ${ref.name}`)
    }
    if (source.kind === 'grpc' && this.#options.grpcClusters?.has(source.cluster) !== true) {
      refuse(
        `${ref.path}.sds_config.api_config_source`,
        `no static cluster ${source.cluster} with an address and without TLS`,
      )
    }
  }

  /** Forgets what none of these references needs any more. Local secrets stay: nobody asks for them. */
  retain(refs: Iterable<SecretRef>): void {
    const wanted = new Map<string, Set<string>>()
    for (const ref of refs) {
      const source = this.sourceOf(ref)
      const names = wanted.get(source)
      if (names === undefined) wanted.set(source, new Set([ref.name]))
      else names.add(ref.name)
    }
    for (const [source, cache] of this.#caches) {
      if (source === LOCAL_SOURCE) continue
      const names = wanted.get(source) ?? NO_NAMES
      cache.retain(names)
      for (const name of cache.rejected.keys()) if (!names.has(name)) cache.rejected.delete(name)
    }
  }
}

const NO_NAMES: ReadonlySet<string> = new Set()
