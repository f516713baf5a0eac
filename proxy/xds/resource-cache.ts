import { errorText } from '../../lib/errors.ts'
import type { ClientType, CompiledTypes, ResourceType } from './resource-types.ts'

/** One accepted resource. */
export interface CachedResource<Plan> {
  readonly name: string
  readonly version: string
  readonly bytes: Uint8Array
  readonly plan: Plan
  readonly updatedMs: number
}

/** A resource as it came off the wire. */
export interface IncomingResource {
  /** '' in the state of the world, where the name is inside. */
  readonly name: string
  readonly version: string
  readonly typeUrl: string
  readonly bytes: Uint8Array
}

export interface RejectedResource {
  readonly name: string
  readonly version: string
  readonly reason: string
  readonly atMs: number
}

/** What one response did: which names changed, and what was wrong with the rest. */
export interface CacheUpdate {
  changed: boolean
  /** Empty when the response is to be acknowledged; else the text of the refusal. */
  error: string
}

/** Throws a PlanError when a resource does not go with what else there is. */
export type ResourceCheck<Plan> = (name: string, plan: Plan, isNew: boolean) => void

/**
 * The resources of one type that the proxy has accepted. A bad resource is refused by name and path and keeps its last
 * good version; the good ones of the same response are taken (gRFC A46).
 */
export class ResourceCache<T extends ClientType> {
  readonly resourceType: ResourceType<T>
  readonly resources = new Map<string, CachedResource<CompiledTypes[T]>>()
  readonly rejected = new Map<string, RejectedResource>()

  readonly #check: ResourceCheck<CompiledTypes[T]> | undefined

  constructor(resourceType: ResourceType<T>, check?: ResourceCheck<CompiledTypes[T]>) {
    this.resourceType = resourceType
    this.#check = check
  }

  /** Takes the resources of a response over. Names in `keep` are the ones asked for; undefined means all. */
  accept(incoming: readonly IncomingResource[], wanted: ReadonlySet<string> | undefined, nowMs: number): CacheUpdate {
    const errors: string[] = []
    const seen = new Set<string>()
    let changed = false
    for (const resource of incoming) {
      if (resource.typeUrl !== this.resourceType.typeUrl) {
        errors.push(
          `${resource.name || 'resource'}: type ${resource.typeUrl} in a response of ${this.resourceType.typeUrl}`,
        )
        continue
      }
      let name = resource.name
      try {
        if (name === '') name = this.resourceType.nameOf(resource.bytes)
        if (seen.has(name)) {
          errors.push(`${name}: is twice in one response`)
          continue
        }
        seen.add(name)
        if (wanted !== undefined && !wanted.has(name)) continue
        if (this.#take(name, resource, nowMs)) changed = true
        this.rejected.delete(name)
      } catch (thrown) {
        const reason = errorText(thrown)
        errors.push(`${name || 'resource'}: ${reason}`)
        this.rejected.set(name, { name, version: resource.version, reason, atMs: nowMs })
      }
    }
    return { changed, error: errors.join('; ') }
  }

  /** Bytes that are held already are not decoded again. */
  #take(name: string, resource: IncomingResource, nowMs: number): boolean {
    const held = this.resources.get(name)
    if (held !== undefined && Buffer.compare(held.bytes, resource.bytes) === 0) {
      if (held.version !== resource.version) this.resources.set(name, { ...held, version: resource.version })
      return false
    }
    const plan = this.resourceType.compile(resource.bytes, resource.version)
    this.#check?.(name, plan, held === undefined)
    this.resources.set(name, { name, version: resource.version, bytes: resource.bytes, plan, updatedMs: nowMs })
    return true
  }

  remove(names: Iterable<string>): boolean {
    let changed = false
    for (const name of names) {
      if (this.resources.delete(name)) changed = true
      this.rejected.delete(name)
    }
    return changed
  }

  /** Removes what a state-of-the-world response no longer lists. A refused resource still counts as listed. */
  retain(names: ReadonlySet<string>): boolean {
    return this.remove([...this.resources.keys()].filter((name) => !names.has(name)))
  }
}
